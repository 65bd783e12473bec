"""H3: the numeric deny list, including every form that the standard library calls global."""

from ipaddress import ip_address, ip_network

import pytest

from tocsin.kit.addresses import refusal

CALLED_GLOBAL_BY_THE_STANDARD_LIBRARY = [
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "::127.0.0.1",
    "fec0::1",
    "ff02::1",
    "224.0.0.1",
    "192.0.0.192",
    "168.63.129.16",
]

INNER = [
    *CALLED_GLOBAL_BY_THE_STANDARD_LIBRARY,
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "2002:a9fe:a9fe::",
    "2002:a00:1::1",
    "100::1",
    "2001::1",
    "2001:0:808:808::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff0e::1",
]

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "168.63.129.17",
    "192.0.1.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


@pytest.mark.parametrize("text", INNER)
def test_an_inner_address_is_refused(text: str) -> None:
    assert refusal(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_passes(text: str) -> None:
    assert refusal(ip_address(text)) is None


def test_an_operator_opens_a_range_and_nothing_beside_it() -> None:
    allowed = [ip_network("10.1.0.0/16"), ip_network("fd12::/16")]
    assert refusal(ip_address("10.1.2.3"), allowed) is None
    assert refusal(ip_address("fd12::5"), allowed) is None
    assert refusal(ip_address("10.2.0.1"), allowed)
    assert refusal(ip_address("fd13::5"), allowed)


@pytest.mark.parametrize("text", ["::ffff:10.1.2.3", "64:ff9b::a01:203", "2002:a01:203::"])
def test_an_embedded_address_is_judged_as_itself(text: str) -> None:
    assert refusal(ip_address(text), [ip_network("10.1.0.0/16")]) is None
    assert refusal(ip_address(text), [ip_network("::/0")])


def test_a_range_of_ipv6_does_not_open_loopback_of_ipv4() -> None:
    assert refusal(ip_address("127.0.0.1"), [ip_network("::/0")])
