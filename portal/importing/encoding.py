"""From a file's bytes to its text: what it is, and how its characters are written.

Nothing is trusted: memory stays flat whatever the file holds, and what is no text is named for what it is.
"""

import codecs
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from portal.tasks.store import TaskError

Blocks = Callable[[], Iterator[bytes]]  # begins the file anew, in blocks of any size

# Those that somebody may choose; `mixed` and the other forms of UTF are only found.
ENCODINGS = ("utf-8", "utf-16", "cp1252", "mac_roman", "cp850")
MIXED = "mixed"  # UTF-8 with bytes of cp1252 in between: what two programs wrote into one file
SAMPLE_BYTES = 4096
CONTROLS = bytes((*range(9), *range(14, 27), *range(28, 32)))  # the bytes that no text has
# A file that begins with more of them than both is no text; fewer are a fault of the program that wrote it.
FEW_CONTROLS, CONTROL_SHARE = 8, 0.05
STRAY_SHARE = 0.001  # the share of NUL up to which those in odd places do not speak against UTF-16
WIDE_SHARE = 0.2  # the share of NUL from which on a file may be UTF-16 without a mark

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
WORKBOOK_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how XLSX and ODS begin, and XLS
# How files begin that people take for text.
SIGNATURES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\xd0\xcf\x11\xe0": "broken_spreadsheet",
    b"%PDF": "pdf",
    b"\x1f\x8b": "compressed",
    b"Rar!": "compressed",
    b"7z\xbc\xaf": "compressed",
    b"{\\rtf": "binary",
}
# How texts begin that are no table, after space and in lower case.
BEGINNINGS = {
    "begin:vcard": "vcard",
    "<html": "html",
    "<!doctype": "html",
    "<table": "html",
    "<meta": "html",
    "<head": "html",
    "<style": "html",
    "<?xml": "xml",
}
ASCII = bytes(range(128))
TWICE = re.compile("Ã[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]")  # how the accents of UTF-8 look that was read as cp1252
LETTERS = "áàâãäéêíóôõöúüçñÁÂÃÉÊÍÓÔÕÚÇ"  # the letters beyond ASCII that names are written with here


class FileProblem(TaskError):
    """The file cannot be imported at all."""


class UnknownName(FileProblem):
    """Somebody named a sheet, a column or a field that does not exist; `known` are those that do."""

    def __init__(self, reason: str, name: str, known: Sequence[str]) -> None:
        super().__init__(reason)
        self.name, self.known = name, known


class NoName(FileProblem):
    """No column is taken for the contact's name; `likely` are those of all of them that may hold it."""

    def __init__(self, known: Sequence[str], likely: Sequence[str]) -> None:
        super().__init__("no_name")
        self.known, self.likely = known, likely


def find_encoding(name: str) -> str | None:
    """The encoding that somebody means by a name, if it may be chosen; Latin-1 is read as cp1252, as browsers do."""
    try:
        meant = codecs.lookup(name).name
    except LookupError:
        return None
    meant = "cp1252" if meant == "iso8859-1" else meant
    return next((each for each in ENCODINGS if codecs.lookup(each).name == meant), None)


def detect_encoding(blocks: Blocks) -> str:
    """By byte order mark, else UTF-8 when all of it is, else a mixture, cp1252, Mac Roman or the code page of DOS.

    Raises FileProblem for what is no text.
    """
    source = blocks()
    first = b""
    while len(first) < SAMPLE_BYTES and (block := next(source, None)):
        first += block
    check_signature(first)
    marked = _mark_of(first)
    decoder = codecs.getincrementaldecoder(marked or "utf-8")()
    try:
        decoder.decode(first)
        for block in source:
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        if marked not in (None, "utf-8-sig"):
            raise FileProblem("undecodable") from error
        return _of_bytes(blocks())
    return marked or "utf-8"


def check_signature(first: bytes) -> None:
    """Raises FileProblem for a file that is none or that begins as another kind does."""
    if not first:
        raise FileProblem("empty")
    for start, reason in SIGNATURES.items():
        if first.startswith(start):
            raise FileProblem(reason)


def check_bytes(first: bytes) -> None:
    """Raises FileProblem for a file that is neither a text nor a workbook by its first bytes."""
    if first.startswith(WORKBOOK_MARKS):
        return
    check_signature(first)
    check_start(first[:SAMPLE_BYTES].decode(_mark_of(first[:SAMPLE_BYTES]) or "utf-8", "replace"))


def _mark_of(first: bytes) -> str | None:
    """The encoding that a mark or the places of NULs tell. Raises FileProblem for what is no text."""
    marked = next((name for mark, name in MARKS if first.startswith(mark)), None) or _wide(first)
    controls = len(first) - len(first.translate(None, CONTROLS))
    if marked in (None, "utf-8-sig") and controls > max(FEW_CONTROLS, len(first) * CONTROL_SHARE):
        raise FileProblem("binary")
    return marked


def check_start(text: str) -> None:
    """Raises FileProblem for a text whose beginning says that it is no table."""
    start = text.lstrip("\ufeff \t\r\n").lower()
    for beginning, reason in BEGINNINGS.items():
        if start.startswith(beginning):
            raise FileProblem(reason)


def open_text(blocks: Blocks, encoding: str) -> io.TextIOWrapper:
    """The file as text whose lines end where they end in the file, on any system's way."""
    raw = io.BufferedReader(BlockReader(blocks()), 64 * 1024)
    if encoding != MIXED:
        return io.TextIOWrapper(raw, encoding, errors="replace", newline="")
    codecs.register_error(MIXED, _read_as_cp1252)
    return io.TextIOWrapper(raw, "utf-8", errors=MIXED, newline="")


def mend_accents(line: str) -> str:
    """A line of UTF-8 that somebody had saved as if it were cp1252, as in `JosÃ©`; another as it is."""
    if "Ã" not in line or not TWICE.search(line):
        return line
    try:
        return b"".join(map(_byte_of, line)).decode()
    except UnicodeError:
        return line


def _byte_of(character: str) -> bytes:
    return character.encode("latin-1" if character < "\xa0" else "cp1252")


def _read_as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


def _wide(first: bytes) -> str | None:
    """UTF-16 without a mark, as the places of its NULs tell."""
    even, odd = first[::2].count(0), first[1::2].count(0)
    if max(even, odd) < len(first) * WIDE_SHARE or min(even, odd) > len(first) * STRAY_SHARE:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _of_bytes(source: Iterator[bytes]) -> str:
    """The encoding of a text that is not UTF-8 throughout: by the letters that its bytes come to."""
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    counts: Counter[int] = Counter()
    for block in source:
        if not decoder.decode(block).isascii():
            return MIXED
        counts.update(block.translate(None, ASCII))
    likely = {
        name: sum(count for byte, count in counts.items() if bytes((byte,)).decode(name, "replace") in LETTERS)
        for name in ("cp1252", "mac_roman", "cp850")
    }
    return max(likely, key=lambda name: likely[name])  # of equal ones the first


class BlockReader(io.RawIOBase):
    """Blocks as a raw stream."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
