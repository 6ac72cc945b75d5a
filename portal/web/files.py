"""Answers that are files, and files of any length in one ZIP, made while it is read: it needs no memory and no disk."""

import io
import zipfile
from collections.abc import Iterable, Iterator

from flask import Response

Files = Iterable[tuple[str, Iterable[str]]]
"""The name of each file, and its text in pieces."""


def attachment(content: str | Iterable[str] | Iterable[bytes], name: str, mimetype: str) -> Response:
    """The answer that a browser keeps as a file of this name."""
    return Response(content, mimetype=mimetype, headers={"Content-Disposition": f'attachment; filename="{name}"'})


class _Pipe(io.RawIOBase):
    """Takes what is written until somebody takes it away."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._held += piece
        return len(piece)

    def take(self) -> bytes:
        taken, self._held = bytes(self._held), bytearray()
        return taken


def write_zip(files: Files) -> Iterator[bytes]:
    """The archive in pieces, as the files come."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, pieces in files:
            with archive.open(name, "w", force_zip64=True) as entry:
                for piece in pieces:
                    entry.write(piece.encode())
                    yield pipe.take()
    yield pipe.take()
