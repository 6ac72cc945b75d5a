"""The only way out to the network: address policy, pinned connections, one true deadline, bounded answers."""

from portal.egress.address import Address, AddressError, AddressPolicy, origin_of, parse_address
from portal.egress.answer import Answer, Cut, EgressError
from portal.egress.client import CheckedAddress, Egress, EgressAdapter, make_fields, open_session

__all__ = [
    "Address",
    "AddressError",
    "AddressPolicy",
    "Answer",
    "CheckedAddress",
    "Cut",
    "Egress",
    "EgressAdapter",
    "EgressError",
    "make_fields",
    "open_session",
    "origin_of",
    "parse_address",
]
