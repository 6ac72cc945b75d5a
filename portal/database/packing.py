"""Bytes that the database holds packed: the bodies of deliveries, which are most of what it would hold.

Who reads one gets the very bytes that were stored. What was stored before this was done lies there as it is.
"""

import zlib
from typing import Any

from sqlalchemy import Dialect, LargeBinary, TypeDecorator

# What most bodies have in common, which costs next to nothing to say again. Never change it: what was packed with it
# is read with it alone.
TEMPLATE = (
    rb'{"contact":{"id":,"name":"","invite_date":"2026-01-22 12:00:00","accept_date":"2026-01-22 12:00:00",'
    rb'"collect_date":"2026-01-22 12:00:00","reply_date":null,"linkedin_public_id":"","current_company":"",'
    rb'"current_company_link":"https:\/\/www.linkedin.com\/company\/","role":"","location":"S\u00e3o Paulo, Brasil",'
    rb'"email":"@.com.br","phone":"+55 11 9","interest_level":2,"skills":[{"skill":"","endorsements":1},{"skill":"",'
    rb'"endorsements":2}],"experiences":[{"experience":"","company_link":"https:\/\/www.linkedin.com\/company\/"}]},'
    rb'"contact_owner":{"id":,"name":"","email":"@.com"},"campaign":{"id":,"name":"Geral","description":null},'
    rb'"messages":[{"sender_name":"","message":"","date":"2026-01-22 12:00:00","pending_message":0}]}'
)
FASTEST = 1  # of zlib's levels
# Two bytes of zlib's own, and then this, begin what was packed with the template (RFC 1950, section 2.2).
MARK, MARKED = zlib.adler32(TEMPLATE).to_bytes(4, "big"), slice(2, 6)


class Packed(TypeDecorator[bytes]):
    """Bytes of any kind; those that look like a body take a third of their room or less."""

    impl = LargeBinary
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        return lambda content: None if content is None else pack(content)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return lambda stored: None if stored is None else unpack(stored)


def pack(content: bytes) -> bytes:
    """What is stored for these bytes: themselves, where that is shorter and nobody could take them for packed."""
    packer = zlib.compressobj(FASTEST, zdict=TEMPLATE)
    packed = packer.compress(content) + packer.flush()
    return packed if len(packed) < len(content) or content[MARKED] == MARK else content


def unpack(stored: bytes) -> bytes:
    """The bytes that were stored so. What is damaged comes as it lies: it is no text, and so nobody sends it."""
    if stored[MARKED] != MARK:
        return stored
    unpacker = zlib.decompressobj(zdict=TEMPLATE)
    try:
        content = unpacker.decompress(stored)
    except zlib.error:
        return stored
    return content if unpacker.eof else stored
