"""Files of random columns, quoting, encodings, line ends and one random fault: every good row is read."""

import csv
import io

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from portal.contacts.checking import InvalidContact
from portal.importing.layout import examine, read_rows
from portal.importing.rows import RowReader
from tests.importing.conftest import blocks_of
from tests.importing.test_rows import ZONE

COLUMNS = {
    "E-mail": lambda number, _: f"p{number}@x.test",
    "LinkedIn": lambda number, _: f"https://www.linkedin.com/in/p-{number}",
    "Conectado em": lambda number, _: f"{number % 28 + 1:02d} Mar 2024",
    "Empresa": lambda _, prose: prose,
    "Notas": lambda _, prose: prose,
    "Observações": lambda _, prose: prose,
}
IDENTIFYING = ("E-mail", "LinkedIn")
prose = st.lists(
    st.sampled_from(["Bar", " da", ", ", "; ", '"', "\n", "ção", " é", "\t", "x", "- ", "2024", "'", '""']), max_size=8
).map("".join)


@st.composite
def files(draw):
    """A file, and the names of its good rows."""
    others = draw(st.lists(st.sampled_from([*COLUMNS]), unique=True))
    header = draw(st.permutations(["Nome", draw(st.sampled_from(IDENTIFYING)), *others]))
    header = list(dict.fromkeys(header))
    rows = [
        [f"Pessoa {number}" if name == "Nome" else COLUMNS[name](number, draw(prose)) for name in header]
        for number in range(draw(st.integers(2, 12)))
    ]
    delimiter, end = draw(st.sampled_from(",;\t")), draw(st.sampled_from(["\n", "\r\n"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    lines = [_write(row, delimiter, end, quoting) for row in [header, *rows]]
    broken = draw(st.integers(1, len(rows)))
    place = draw(st.integers(0, max(len(lines[broken].rstrip("\r\n")), 0)))
    fault = draw(st.sampled_from(["none", "stray quote", "lost quote", "cut"]))
    lines[broken] = _break(lines[broken], fault, place, end)
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"]))
    good = [row[header.index("Nome")] for number, row in enumerate(rows, 1) if number != broken or fault == "none"]
    return "".join(lines).encode(encoding), good, encoding


def _write(row, delimiter, end, quoting):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerow(row)
    return text.getvalue()


def _break(line, fault, place, end):
    if fault == "stray quote":
        return line[:place] + '"' + line[place:]
    if fault == "lost quote" and '"' in line:
        found = line.index('"', place) if '"' in line[place:] else line.index('"')
        return line[:found] + line[found + 1 :]
    return line[:place] + end if fault == "cut" else line


def names_of(content, encoding=None):
    found = examine(blocks_of(content, 1000), encoding=encoding)
    fields = [column.field for column in found.columns]
    reader = RowReader(found.layout, fields, zone=ZONE, campaign=None, people={})
    for record in read_rows(blocks_of(content), found.layout):
        try:
            reading = reader.read(record)
        except InvalidContact:
            continue
        if reading.item is not None:
            yield reading.item.facts["name"]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files())
def test_one_fault_costs_one_row(file):
    content, good, encoding = file
    note(repr(content))
    names = list(names_of(content, None if encoding.startswith("utf") else encoding))
    assert [name for name in names if name in good] == good
    assert len(names) <= len(good) + 2, "the lines of a broken row are hardly ever taken for rows"
