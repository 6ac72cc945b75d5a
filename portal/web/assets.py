"""The files of `portal/static`, each compressed once and kept by browsers for a year.

Their address holds a digest of the whole folder (`/static/<digest>/app.css`), so an upgrade changes every address at
once and the relative addresses inside a style sheet stay right. `url_for("static", filename=...)` writes it.
"""

import functools
import gzip
import hashlib
from pathlib import Path, PurePosixPath

import brotli  # type: ignore[import-untyped]
from flask import Flask, Response, abort, request

YEAR_SECONDS = 365 * 24 * 60 * 60
FONT = "font/woff2"
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": FONT,
}


def init_assets(app: Flask, folder: Path) -> None:
    """Serve every file under `folder`, read once now, as the view `static`.

    The app must be made with `static_folder=None`, so that this view is the only one of that name.
    """
    bodies = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    current = digest_of(bodies)

    def static(digest: str, filename: str) -> Response:
        if filename not in bodies:
            abort(404)
        response = _answer(bodies[filename], MEDIA_TYPES.get(PurePosixPath(filename).suffix, "text/plain"))
        if digest == current:
            response.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
        else:
            # A page of another release asks during an upgrade: serve it, but let nobody keep it under that address.
            response.headers["Cache-Control"] = "no-cache"
        return response

    def add_digest(view_name: str, values: dict[str, object]) -> None:
        if view_name == "static":
            values.setdefault("digest", current)

    app.add_url_rule("/static/<digest>/<path:filename>", "static", static)
    app.url_defaults(add_digest)


def digest_of(bodies: dict[str, bytes]) -> str:
    """Returns 16 hex digits that change when a name or a byte of `bodies` (name to content) changes."""
    total = hashlib.sha256()
    for name, body in sorted(bodies.items()):
        total.update(f"{name}\0{len(body)}\0".encode() + body)
    return total.hexdigest()[:16]


def _answer(body: bytes, media_type: str) -> Response:
    # A font is compressed by its own format.
    encoding = None if media_type == FONT else request.accept_encodings.best_match(("br", "gzip"))
    content = _encode(body, encoding) if encoding else body
    response = Response(content, content_type=media_type if media_type == FONT else f"{media_type}; charset=utf-8")
    if encoding:
        response.headers["Content-Encoding"] = encoding
    response.vary.add("Accept-Encoding")
    response.set_etag(hashlib.sha256(content).hexdigest()[:16])
    response.make_conditional(request)
    return response


@functools.cache
def _encode(body: bytes, encoding: str) -> bytes:
    """`body` in `encoding` (br or gzip), made at the first request and kept: the style sheet takes 30 ms."""
    compressed: bytes = brotli.compress(body, quality=9) if encoding == "br" else gzip.compress(body, 9, mtime=0)
    return compressed
