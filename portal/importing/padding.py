"""Delimiters at the end of every line that part no cells: of a CSV that stood in a spreadsheet's first column."""

import io
from collections.abc import Iterator

from portal.importing.encoding import BlockReader, Blocks

LIKELY = ";,\t"


def find_padding(start: str) -> str:
    """The delimiter with which every line of a file's beginning ends, and which stands nowhere else; or nothing."""
    lines = [line for line in start.splitlines()[:-1] if line.strip(LIKELY)]
    for padding in LIKELY:
        if len(lines) > 1 and all(line.endswith(padding) and padding not in line.rstrip(padding) for line in lines):
            return padding
    return ""


def without_padding(blocks: Blocks, padding: str) -> Iterator[bytes]:
    """The file without what its lines end with."""
    if not padding:
        yield from blocks()
        return
    for line in io.BufferedReader(BlockReader(blocks())):
        text = line.rstrip(b"\r\n")
        yield text.rstrip(padding.encode()) + line[len(text) :]
