from ipaddress import ip_address, ip_network

import pytest

from portal.egress.networks import is_permitted, is_public

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 172.15.255.255
172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 93.184.216.34
2606:2800:220:1::1 2a00:1450:4001::1 2001:200::1 64:ff9b::5db8:d822 ::ffff:93.184.216.34 2606:2800::5efe:5db8:d822
"""

REFUSED = """
0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 100.100.100.200 127.0.0.1 127.255.255.255
169.254.0.0 169.254.169.254 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.9 192.0.0.192 192.0.2.0 192.31.196.1
192.52.193.1 192.88.99.1 192.168.0.0 192.168.255.255 192.175.48.1 198.18.0.0 198.19.255.255 198.51.100.0
203.0.113.255 224.0.0.1 239.255.255.255 240.0.0.0 255.255.255.255 168.63.129.16 :: ::1 ::2 ::127.0.0.1
::93.184.216.34 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1
::ffff:0:5db8:d822 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::a00:1 64:ff9b:1::5db8:d822 64:ff9b:1::7f00:1
64:ff9c::1 100::1 100:0:0:1::1 2001::1 2001:0:4136:e378:8000:63bf:80ff:fffe 2001:1::1 2001:2::1 2001:3::1
2001:4:112::1 2001:10::1 2001:20::1 2001:30::1 2001:db8::1 2001:db8::5efe:7f00:1 2002:7f00:1:: 2002:a9fe:a9fe::
2002:5db8:d822:: 2620:4f:8000::1 2606:2800::5efe:7f00:1 2606:2800::200:5efe:a00:1 3ffe::1 3fff::1 3fff:fff:: 4000::1
5f00::1 fc00::1 fd00:ec2::254 fdff::1 fe80::1 febf::1 fec0::1 feff::1 ff02::1 ff0e::1 ffff::1
"""


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", REFUSED.split())
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", [a for a in REFUSED.split() if not is_public(ip_address(a))])
def test_nothing_outside_of_the_allowed_network_is_permitted(address: str) -> None:
    assert not is_permitted(ip_address(address), (ip_network("203.0.113.0/25"),))


def test_allowed_network_is_permitted() -> None:
    assert is_permitted(ip_address("10.1.2.3"), (ip_network("10.0.0.0/8"),))
    assert is_permitted(ip_address("fd12::3"), (ip_network("fd00::/8"),))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "::ffff:0:a9fe:a9fe",
        "::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",  # Teredo: its server, and its client, whose bits are turned round
        "2001:0:808:808:0:0:5601:5601",
        "2a00::5efe:a9fe:a9fe",
        "2a00::200:5efe:a9fe:a9fe",
    ],
)
def test_cloud_metadata_is_never_permitted(address: str) -> None:
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    assert not is_permitted(ip_address(address), everything)
