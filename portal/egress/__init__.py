"""The only way out to the network: address policy, pinned connections, one true deadline, bounded answers."""

from portal.egress.address import Address, AddressError, AddressPolicy, origin_of, parse_address
from portal.egress.answer import Answer, EgressError
from portal.egress.client import CheckedAddress, Egress, EgressAdapter, open_session

__all__ = [
    "Address",
    "AddressError",
    "AddressPolicy",
    "Answer",
    "CheckedAddress",
    "Egress",
    "EgressAdapter",
    "EgressError",
    "open_session",
    "origin_of",
    "parse_address",
]
