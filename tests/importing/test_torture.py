"""Files of random columns, quoting, encodings, line ends and one random fault: as many contacts as good rows."""

import csv
import io
import itertools
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from portal.contacts.items import InvalidContact
from portal.database.db import db
from portal.importing.layout import examine, read_rows
from portal.importing.order import Order
from portal.importing.rows import RowReader
from portal.models import Contact, Delivery
from tests.conftest import BOTH, URL
from tests.examples import examples
from tests.factories import make_company, make_user
from tests.importing.conftest import blocks_of
from tests.importing.test_corpus import environ_of, import_by_command, import_by_page
from tests.importing.test_rows import ZONE
from tests.views.conftest import Person

COLUMNS = {
    "E-mail": lambda number, _: f"p{number}@x.test",
    "LinkedIn": lambda number, _: f"https://www.linkedin.com/in/p-{number:02}",
    "Nível de interesse": lambda number, _: ("Baixo", "2 - Médio", "3", "", "Nenhum")[number % 5],
    "Conectado em": lambda number, _: f"{number % 28 + 1:02d} Mar 2024",
    "Telefone": lambda number, _: f"+55 11 9777-{1000 + number}",
    "Empresa": lambda _, prose: prose,
    "Cargo": lambda _, prose: prose,
    "Notas": lambda _, prose: prose,
    "Observações": lambda _, prose: prose,
}
IDENTIFYING = ("E-mail", "LinkedIn")
FAULTS = ("none", "stray quote", "lost quote", "cut", "extra cell", "lost cell", "blank line", "odd character")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "mac_roman")
prose = st.lists(
    st.sampled_from(["Bar", " da", ", ", "; ", '"', "\n", "ção", " é", "\t", "x", "- ", "2024", "'", '""', "@"]),
    max_size=8,
).map("".join)


@dataclass(frozen=True)
class File:
    """A file, the names in its good rows, and in the one that may be broken."""

    content: bytes
    encoding: str
    good: list[str]
    broken: str


rows_in_cells = st.lists(
    st.sampled_from(
        ["Bar", ", ", "; ", '"', "\n", "\n\n", "\t", "\n2024, ", "Pessoa 9,p9@x.test,", "+55 11 9777-1000"]
    ),
    max_size=8,
).map("".join)


@st.composite
def files(draw, encodings=ENCODINGS, faults=FAULTS, prose=prose):
    others = draw(st.lists(st.sampled_from([*COLUMNS]), unique=True))
    header = draw(st.permutations(list(dict.fromkeys(["Nome", draw(st.sampled_from(IDENTIFYING)), *others]))))
    rows = [
        [f"Pessoa {number}" if name == "Nome" else COLUMNS[name](number, draw(prose)) for name in header]
        for number in range(draw(st.integers(2, 12)))
    ]
    delimiter, end = draw(st.sampled_from(",;\t")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    lines = [_write([cell.replace("\n", end) for cell in row], delimiter, end, quoting) for row in [header, *rows]]
    broken, fault = draw(st.integers(1, len(rows))), draw(st.sampled_from(faults))
    place = draw(st.integers(0, len(lines[broken].rstrip("\r\n"))))
    lines[broken] = _break(lines[broken], fault, place, delimiter, end)
    names = [row[header.index("Nome")] for row in rows]
    if fault not in ("none", "blank line"):
        del names[broken - 1]
    if not draw(st.booleans()):
        lines[-1] = lines[-1].removesuffix(end)
    encoding = draw(st.sampled_from(encodings))
    return File("".join(lines).encode(encoding), encoding, names, f"Pessoa {broken - 1}")


def _write(row, delimiter, end, quoting):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerow(row)
    return text.getvalue()


def _break(line, fault, place, delimiter, end):
    start, rest = line[:place], line[place:]
    match fault:
        case "stray quote":
            return f'{start}"{rest}'
        case "lost quote" if '"' in line:
            found = line.index('"', place) if '"' in rest else line.index('"')
            return line[:found] + line[found + 1 :]
        case "cut":
            return start + end
        case "extra cell":
            return line.removesuffix(end) + delimiter + "demais" + end
        case "lost cell":
            return delimiter.join(line.removesuffix(end).split(delimiter)[:-1]) + end
        case "blank line":
            return end + line
        case "odd character":
            return f"{start}\N{BULLET}{rest}"
    return line


def names_of(file):
    """The names of the contacts that are read from a file, whose encoding is told where nobody could tell."""
    chosen = None if file.encoding.startswith("utf") else file.encoding
    found = examine(blocks_of(file.content, 1000), encoding=chosen)
    reader = RowReader(Order.of(found, user_id=0), zone=ZONE, people={})
    for record in read_rows(blocks_of(file.content), found.layout):
        try:
            reading = reader.read(record)
        except InvalidContact:
            continue
        if reading.item is not None:
            yield reading.item.facts["name"]


@pytest.mark.slow
@settings(max_examples=examples(250))
@given(files())
def test_one_fault_costs_at_most_its_own_row(file):
    note(repr(file.content))
    names = list(names_of(file))
    assert [name for name in names if name in file.good] == file.good
    assert len(names) <= len(file.good) + 1, "the broken row enters once at most, and none of its lines as another"


@pytest.mark.slow
@settings(max_examples=examples(250))
@given(files(encodings=["utf-8"], faults=["none", "blank line"], prose=rows_in_cells))
def test_no_row_is_refused_that_a_strict_reader_reads(file):
    note(repr(file.content))
    assert list(names_of(file)) == file.good


whole_way = settings(
    max_examples=examples(6),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
companies = itertools.count(1)


def make_crm():
    """A company whose CRM is told of levels, and its admin; a new one for each file."""
    company = make_company(f"Empresa {next(companies)}", url=URL)
    return company, make_user(company)


def state_of(company):
    """The contacts that a company has, in the order of their making, and how many deliveries."""
    found = db.session.query(Contact.name, Contact.interest_level).filter_by(company_id=company.id).order_by(Contact.id)
    contacts = [tuple(row) for row in found]
    sent = db.session.query(Delivery).filter_by(company_id=company.id).count()
    db.session.commit()
    return contacts, sent


def check_whole_way(company, file, import_file):
    """Import the file, and again: everybody of the good rows is there once, and the second time nothing happens."""
    note(repr(file.content))
    import_file()
    contacts, sent = state_of(company)
    names = [name for name, _ in contacts]
    assert [name for name in names if name in file.good] == file.good
    assert len(names) <= len(file.good) + 1
    assert sent == sum(level is not None for _, level in contacts)
    again = import_file()
    assert not any(again.get(name) for name in ("created", "changed", "classified", "sent"))
    assert state_of(company) == (contacts, sent)


@pytest.mark.slow
@BOTH
@whole_way
@given(file=files(encodings=[each for each in ENCODINGS if each.startswith("utf")]))
def test_a_file_with_a_fault_comes_in_by_the_page(app, file):
    company, user = make_crm()
    person = Person(app.test_client(), user)
    check_whole_way(company, file, lambda: import_by_page(person, file.content))


@pytest.mark.slow
@BOTH
@whole_way
@given(file=files())
def test_a_file_with_a_fault_comes_in_by_the_command(app, instance, file):
    company, _ = make_crm()
    options = [] if file.encoding.startswith("utf") else ["--encoding", file.encoding]
    check_whole_way(company, file, lambda: import_by_command(company, file.content, environ_of(instance), *options))
