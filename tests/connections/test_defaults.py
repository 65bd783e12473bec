"""The operator's own mail server, from one line of the environment (C4)."""

import pytest

from tocsin.connections.defaults import platform_defaults
from tocsin.settings import Settings


def with_mail(url: str | None) -> Settings:
    return Settings.model_validate({"smtp_url": url})


def test_without_an_address_there_is_no_default() -> None:
    assert platform_defaults(with_mail(None)) == {}


def test_one_line_says_everything() -> None:
    url = "smtps://to%40csin:pass%2Fword@mail.example.com?from=alerts@example.com&name=Alerts"
    default = platform_defaults(with_mail(url))["email"]
    assert default.channel.provider == "smtp"
    assert default.settings.model_dump() == {
        "host": "mail.example.com",
        "port": 465,
        "security": "tls",
        "from_address": "alerts@example.com",
        "from_name": "Alerts",
        "reply_to": None,
    }
    assert default.credentials.revealed() == {"username": "to@csin", "password": "pass/word"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mail.example.com", "of the form smtp://"),
        ("smtp://tocsin:can?ary@mail.example.com?from=alerts@example.com", "percent-encoded"),
        ("http://mail.example.com?from=a@example.com", "of the form smtp://"),
        ("smtp://tocsin:canary@mail.example.com", "fromAddress"),
        ("smtp://tocsin@mail.example.com?from=alerts@example.com", "together"),
        ("smtp://tocsin:canary@mail.example.com?from=alerts@example.com&cc=x", "of the form smtp://"),
    ],
)
def test_a_bad_address_is_refused_at_start_by_the_name_of_its_setting(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^TOCSIN_SMTP_URL is not usable: ") as refused:
        platform_defaults(with_mail(url))
    assert words in str(refused.value)
    assert "canary" not in str(refused.value)
