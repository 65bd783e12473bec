"""What the platform's mails say, and that names cannot make advertisements of them."""

import pytest

from tocsin.mail.words import WORDS, no_link, written

DETAILS = {"url": "https://x.example/account#token=lk_", "address": "new@x.example", "inviter": "Ann"} | {
    "quota": "events",
    "used": "40,000",
    "limit": "50,000",
    "resets": "2026-12-01 00:00 UTC",
    "then": "further events are refused",
    "endpoint": "shop.example/tocsin",
    "connection": "Mail of Ann",
    "provider": "E-mail (SMTP)",
    "reason": "too much",
    "until": "12:30 UTC",
}


@pytest.mark.parametrize("kind", WORDS)
def test_every_kind_has_its_final_words(kind: str) -> None:
    words = written(kind, "Acme", DETAILS)
    assert "Acme" in words.subject
    assert "{" not in words.subject + words.text
    assert "http" not in words.text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Köche & Söhne", "Köche & Söhne"),
        ("Acme.io", "Acme.io"),
        ("O'Neill <b>", "O'Neill b"),
        ("Win at https://evil.example/now", "Win at https evil.example/now"),
        ("www.evil.example", "evil.example"),
        ("two\r\nBcc: all@x.example", "two Bcc: all@x.example"),
        ("x" * 200, "x" * 80),
        ("{project} {0}", "{project} {0}"),
    ],
)
def test_a_name_leads_nowhere_and_is_one_short_line(name: str, shown: str) -> None:
    assert no_link(name) == shown
    assert shown in written("reset_password", name, DETAILS).text
