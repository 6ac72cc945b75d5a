"""Which IP addresses count as public: explicit tables, as `ipaddress.is_global` differs between Python versions."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

SPECIAL_V4 = tuple(
    IPv4Network(block)
    for block in (
        # IANA IPv4 Special-Purpose Address Registry, whole: even the blocks that are globally reachable
        # (anycast sinks and relays) hold no receiver of webhooks.
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # shared by carriers, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link local, RFC 3927
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # AMT, RFC 7450
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "240.0.0.0/4",  # reserved and broadcast, RFC 1112, RFC 8190
        # Not in that registry:
        "224.0.0.0/4",  # multicast, RFC 5771
        "168.63.129.16/32",  # Azure's own services, a public number that never leaves the host
    )
)

# All that IANA has given out (RFC 4291): loopback, fc00::/7, fe80::/10, fec0::/10, ff00::/8, 5f00::/16, 100::/64 and
# the embedded forms ::a.b.c.d and ::ffff:0:a.b.c.d lie outside.
GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")

SPECIAL_V6 = tuple(
    IPv6Network(block)
    for block in (
        # IANA IPv6 Special-Purpose Address Registry, the part inside 2000::/3.
        "2001::/23",  # protocol assignments, RFC 2928: Teredo, ORCHID, AMT, benchmarks
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4, RFC 3056; its relays are retired, RFC 7526
        "2620:4f:8000::/48",  # AS112, RFC 7534
        "3fff::/20",  # documentation, RFC 9637
        # Not in that registry:
        "3ffe::/16",  # 6bone, returned, RFC 3701
    )
)

# Addresses that hand out a machine's credentials. No setting permits them: a wide private network listed by the
# operator (100.64.0.0/10, fd00::/8) holds some of them by accident.
METADATA = frozenset(
    {
        IPv4Address("169.254.169.254"),  # most clouds
        IPv4Address("168.63.129.16"),  # Azure
        IPv4Address("100.100.100.200"),  # Alibaba Cloud
        IPv4Address("192.0.0.192"),  # Oracle Cloud
        IPv6Address("fd00:ec2::254"),  # AWS
    }
)

NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_COMPATIBLE = IPv6Network("::/96")
_ISATAP_INTERFACES = (0x00005EFE, 0x02005EFE)


def is_permitted(ip: IPAddress, allowed: Sequence[IPNetwork]) -> bool:
    """Whether `ip` is public, or allowed. IPv6 forms of IPv4 are only in allowed networks written as IPv6."""
    if not METADATA.isdisjoint((ip, *embedded_v4(ip))):
        return False
    return any(ip in network for network in allowed) or is_public(ip)


def is_public(ip: IPAddress) -> bool:
    """Whether `ip` is a host of the public Internet.

    The forms that reach an IPv4 host (mapped, NAT64, ISATAP) are judged by that host; 6to4 and Teredo, whose relays
    are retired, are refused whole.
    """
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in SPECIAL_V4)
    if ip.ipv4_mapped is not None or ip in NAT64:
        return is_public(_last_32_bits(ip))
    if ip not in GLOBAL_UNICAST_V6 or any(ip in network for network in SPECIAL_V6):
        return False
    return all(is_public(inner) for inner in embedded_v4(ip))


def embedded_v4(ip: IPAddress) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses an IPv6 address carries, by any of the known schemes; none for an IPv4 address."""
    if isinstance(ip, IPv4Address):
        return ()
    if ip.ipv4_mapped is not None:
        return (ip.ipv4_mapped,)
    if ip.sixtofour is not None:
        return (ip.sixtofour,)
    if ip.teredo is not None:
        return ip.teredo
    carries = any(ip in network for network in (NAT64, _NAT64_LOCAL, _TRANSLATED, _COMPATIBLE))
    if carries or (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP_INTERFACES:
        return (_last_32_bits(ip),)
    return ()


def _last_32_bits(ip: IPv6Address) -> IPv4Address:
    return IPv4Address(int(ip) & 0xFFFFFFFF)
