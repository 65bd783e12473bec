"""Names of hosts, as requests carry them and as projects may claim them (bad input 114)."""

import pytest

from tocsin.kit.hostnames import Refused, claimable, host_of, lies_under, readable


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"alerts.client.com", "alerts.client.com"),
        (b"ALERTS.Client.COM:8443", "alerts.client.com"),
        (b"alerts.client.com.", "alerts.client.com"),
        (b"alerts.client.com.:443", "alerts.client.com"),
        (b"XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        (b"localhost", None),
        (b"127.0.0.1", None),
        (b"127.0.0.1:80", None),
        (b"1.2.3", None),
        (b"[::1]:80", None),
        (b"[::ffff:127.0.0.1]", None),
        (b"a..b", None),
        (b".a.b", None),
        (b"a.b..", None),
        (b"a_b.example", None),
        (b"a.b:", None),
        (b"a.b:x", None),
        (b"a b.c", None),
        (b"", None),
        (b"b\xc3\xbccher.example", None),
        (b"a" * 64 + b".example", None),
        (b"a.b" * 90, None),
    ],
)
def test_the_name_in_a_host_header(header: bytes, name: str | None) -> None:
    assert host_of(header) == name


@pytest.mark.parametrize(
    ("text", "kept", "shown"),
    [
        ("alerts.client.com", "alerts.client.com", "alerts.client.com"),
        ("Alerts.CLIENT.com", "alerts.client.com", "alerts.client.com"),
        ("ａlerts.client.com", "alerts.client.com", "alerts.client.com"),
        ("alerts。client。com", "alerts.client.com", "alerts.client.com"),
        ("meldungen.bücher.de", "meldungen.xn--bcher-kva.de", "meldungen.bücher.de"),
        ("meldungen.xn--bcher-kva.de", "meldungen.xn--bcher-kva.de", "meldungen.bücher.de"),
        ("уведомления.пример.рф", "xn--b1aecbpqgkf0c3i.xn--e1afmkfd.xn--p1ai", "уведомления.пример.рф"),
        ("通知.日本語テスト.jp", "xn--k7y792c.xn--zckzah9945czlbtz6h.jp", "通知.日本語テスト.jp"),
        ("alerts.client.co.uk", "alerts.client.co.uk", "alerts.client.co.uk"),
    ],
)
def test_a_name_is_kept_in_one_form(text: str, kept: str, shown: str) -> None:
    assert (claimable(text), readable(claimable(text))) == (kept, shown)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("*.client.com", "wildcard"),
        ("*.x", "wildcard"),
        ("203.0.113.9", "address"),
        ("[2001:db8::1]", "address"),
        ("2001:db8::1", "address"),
        ("127.1", "address"),
        ("a.b.300", "address"),
        ("localhost", "not_public"),
        ("db.localhost", "not_public"),
        ("printer.local", "not_public"),
        ("9.113.0.203.in-addr.arpa", "not_public"),
        ("client", "not_public"),
        ("co.uk", "public_suffix"),
        ("com.au", "public_suffix"),
        ("github.io", "public_suffix"),
        ("client.com", "bare_domain"),
        ("client.co.uk", "bare_domain"),
        ("somebody.github.io", "bare_domain"),
        ("alerts.client.com.", "trailing_dot"),
        ("alerts.client.com。", "trailing_dot"),
        ("alerts.pаypal.com", "look_alike"),
        ("alerts.xn--pypal-4ve.com", "look_alike"),
        ("аррӏе.client.com", "look_alike"),
        ("τοχ.client.com", "look_alike"),
        ("https://alerts.client.com", "not_a_name"),
        ("alerts.client.com:8443", "not_a_name"),
        ("alerts.client.com/a", "not_a_name"),
        ("user@alerts.client.com", "not_a_name"),
        ("alerts..client.com", "not_a_name"),
        ("-a.client.com", "not_a_name"),
        ("a_b.client.com", "not_a_name"),
        ("xn--a.client.com", "not_a_name"),
        ("☃.client.com", "not_a_name"),
        ("a" * 64 + ".client.com", "not_a_name"),
        (".".join(["aaaaaaaaa"] * 26) + ".com", "not_a_name"),
        ("", "not_a_name"),
        (" ", "not_a_name"),
        (".", "not_a_name"),
        ("alerts.client.com\0", "not_a_name"),
        ("alerts.client.com\r\nHost: a", "not_a_name"),
    ],
)
def test_a_name_nobody_may_claim_is_refused_with_its_reason(text: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        claimable(text)
    assert refused.value.code == code


def test_a_name_lies_under_itself_and_what_follows_a_dot() -> None:
    assert lies_under("a.b.example", "b.example") and lies_under("b.example", "b.example")
    assert not lies_under("ab.example", "b.example")
