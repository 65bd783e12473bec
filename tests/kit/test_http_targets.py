"""H3: what the text of a URL may say (bad inputs 62 to 67), judged without asking the network."""

from ipaddress import ip_network

import pytest

from tocsin.kit.http import Blocked, parse_host, parse_target

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

INNER_HOSTS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0x",
    "127.0.0.1.",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[::127.0.0.1]",
    "[fec0::1]",
    "[fe80::1]",
    "169.254.169.254",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "metadata.google.internal",
    "METADATA.google.internal.",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "１２７.0.0.1",
    "localhost",
    "localhost.",
    "LocalHost",
    "ＬＯＣＡＬＨＯＳＴ",
    "x.localhost",
    "printer.local",
    "nas.home.arpa",
    "database",
]


@pytest.mark.parametrize("host", INNER_HOSTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_inner_host_is_refused_in_every_notation(scheme: str, host: str) -> None:
    with pytest.raises(Blocked) as refused:
        parse_target(f"{scheme}://{host}/hook")
    assert refused.value.code == "address_not_allowed"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "file:///etc/passwd",
        "gopher://example.com/",
        "ftp://example.com/",
        "javascript:alert(1)",
        "//example.com/",
        "https:///x",
        "https://",
        "https:/example.com",
        "https:example.com",
        "https://a@example.com/",
        "https://a:b@example.com/",
        "https://@example.com/",
        "https://a\\@example.com/",
        "https://example.com\\.evil.com/",
        "https://exa\tmple.com/",
        "https://example.com/\n",
        " https://example.com/",
        "https://example.com/a b",
        "https://example.com/\u202e",
        "https://example.com/\x00",
        "https://example.com\u00a0/",
        "https://exam%70le.com/",
        "https://%31%32%37.0.0.1/",
        "https://a..example.com/",
        "https://-a.example.com/",
        "https://.example.com/",
        "https://[::1/",
        "https://[::1]x/",
        "https://[fe80::1%25eth0]/",
        "https://[v1.x]/",
        "https://1.2.3.4.5/",
        "https://256.1.1.1/",
        "https://1.2.3.09/",
        "https://example.0x/",
        "https://4294967296/",
        "https://example.com:x/",
        "https://example.com:٤٤٣/",
        "https://example.com:443:443/",
        "https://" + "a" * 64 + ".com/",
        "https://" + "a." * 127 + "com/",
        "https://example.com/" + "a" * 2_048,
        "https://xn--\udcff.com/",
        "https://a\u2488com/",
    ],
)
def test_what_is_not_a_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(Blocked) as refused:
        parse_target(url)
    assert refused.value.code == "url_invalid"


@pytest.mark.parametrize("port", [0, 22, 25, 5432, 6379, 8080, 65535, 65536, 99999])
def test_another_port_than_those_of_the_web_is_refused(port: int) -> None:
    with pytest.raises(Blocked) as refused:
        parse_target(f"https://example.com:{port}/")
    assert refused.value.code == "port_not_allowed"


@pytest.mark.parametrize(
    ("given", "connected"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/a?b=c#d", "https://example.com/a?b=c"),
        ("http://example.com.:80/", "http://example.com/"),
        ("https://example.com:8443?x", "https://example.com:8443/?x"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/ä"),
        ("https://my_hook.example.com/", "https://my_hook.example.com/"),
        ("https://134744072/", "https://8.8.8.8/"),
        ("https://[2606:4700:0::1111]/", "https://[2606:4700::1111]/"),
        ("https://example.com/a@b:c", "https://example.com/a@b:c"),
        ("https://127.0.0.1.nip.io/", "https://127.0.0.1.nip.io/"),
    ],
)
def test_a_target_is_written_in_one_way(given: str, connected: str) -> None:
    assert parse_target(given).url == connected


def test_an_allowed_network_opens_its_addresses_on_any_port() -> None:
    assert parse_target("http://127.1:39177/", allowed=LOOPBACK).url == "http://127.0.0.1:39177/"
    assert parse_target("http://[::1]:39177/", allowed=LOOPBACK).port == 39177
    with pytest.raises(Blocked, match="port"):
        parse_target("http://8.8.8.8:39177/", allowed=LOOPBACK)
    with pytest.raises(Blocked, match="port"):
        parse_target("http://127.0.0.1:0/", allowed=LOOPBACK)


def test_localhost_follows_loopback_and_inside_names_follow_any_range() -> None:
    assert parse_host("localhost", allowed=LOOPBACK) == "localhost"
    assert parse_host("receiver", allowed=[ip_network("10.0.0.0/8")]) == "receiver"
    with pytest.raises(Blocked):
        parse_host("localhost", allowed=[ip_network("10.0.0.0/8")])
