"""The mail of a notification: header-safe, escaped, readable by the standard library's own parser."""

from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from typing import cast

import pytest

from tocsin.channels.contract import Action, Branding, Message, Recipient
from tocsin.channels.mail import MAX_SUBJECT, mailbox_problem, written

Build = Callable[..., Message]


def received(message: Message, *, from_name: str | None = None, reply_to: str | None = None) -> EmailMessage:
    """The mail as a reader sees it: written to bytes and parsed again."""
    mail = written(
        message,
        "ann@example.com",
        from_address="alerts@acme.example.com",
        from_name=from_name,
        reply_to=reply_to,
    )
    raw = mail.as_bytes()
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998  # RFC 5322 section 2.1.1
    return cast(EmailMessage, message_from_bytes(raw, policy=default))


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return cast(str, body.get_content()).replace("\r\n", "\n")


def links_and_tags(html: str) -> tuple[list[str], set[str]]:
    links: list[str] = []
    tags: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            links.extend(value or "" for name, value in attrs if name in ("href", "src"))
            assert not [name for name, _ in attrs if name.startswith("on")]

    Reader().feed(html)
    return links, tags


def test_a_project_looks_like_itself(message: Build) -> None:
    looks = Branding(
        logo_url='https://cdn.example.com/"><script>logo.png', color="#ffcc00", footer="Acme <Ltd>\r\nVienna\x07"
    )
    html = part(received(message(branding=looks)), "html")
    assert "background:#ffcc00;color:#000000" in html
    assert "script" not in html
    assert "Acme &lt;Ltd&gt;<br>\nVienna</p>" in html
    plain = message(
        branding=Branding(logo_url="https://cdn.example.com/logo.png", color="red;}", footer="Acme\nVienna")
    )
    links, tags = links_and_tags(part(received(plain), "html"))
    assert "https://cdn.example.com/logo.png" in links
    assert "img" in tags
    assert "red" not in part(received(plain), "html")
    assert part(received(plain), "plain").rstrip().endswith("Acme\nVienna")


def test_headers_name_the_delivery_and_ask_for_no_automatic_answer(message: Build) -> None:
    mail = received(message(), from_name="Acme Alerts", reply_to="help@acme.example.com")
    assert mail["Message-ID"] == "<0199a000-0000-7000-8000-000000000001@acme.example.com>"
    assert mail["Date"].datetime == message().created_at.replace(microsecond=0)
    assert str(mail["From"]) == "Acme Alerts <alerts@acme.example.com>"
    assert str(mail["To"]) == "Ann Ünlü <ann@example.com>"
    assert str(mail["Reply-To"]) == "help@acme.example.com"
    assert mail["Subject"] == "Oven 3 is too hot"
    assert mail["Auto-Submitted"] == "auto-generated"


def test_both_forms_say_the_same_and_lead_to_the_same_places(message: Build) -> None:
    mail = received(message())
    text, html = part(mail, "plain"), part(mail, "html")
    links, _ = links_and_tags(html)
    assert links == ["https://acme.example.com/ovens/3?a=1&b=2", "https://tocsin.example.com/ack/abc"]
    for words in ("Oven 3 is too hot", "312 °C for 4 minutes.\nSomebody", "Open the oven", "Acme Bakery"):
        assert words in text
        assert words in html
    assert all(link in text for link in links)


def test_the_product_is_not_named(message: Build) -> None:
    mail = received(message(ack_url=None))
    assert "tocsin" not in mail.as_string().lower()


@pytest.mark.parametrize(
    ("priority", "mark", "importance"),
    [("critical", "1", "high"), ("high", "2", "high"), ("normal", None, None), ("low", "5", "low")],
)
def test_urgency_is_marked(message: Build, priority: str, mark: str | None, importance: str | None) -> None:
    mail = received(message(priority=priority))
    assert (mail["X-Priority"], mail["Importance"]) == (mark, importance)


def test_opting_out_takes_one_click(message: Build) -> None:
    mail = received(message(unsubscribe_url="https://acme.example.com/u/1"))
    assert mail["List-Unsubscribe"] == "<https://acme.example.com/u/1>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "List-Unsubscribe" not in received(message())


@pytest.mark.parametrize(
    "title",
    [
        "Hot\r\nBcc: eve@example.com",
        "Hot\nX-Evil: 1",
        "Hot\x00\x0b\x85\u2028cold",
        "\r\n\r\nbody",
        "漢" * 900,
    ],
)
def test_a_title_stays_in_its_header(message: Build, title: str) -> None:
    mail = received(
        message(title=title, project_name=title, recipient=Recipient(user_id=message().event.id, name=title))
    )
    assert "Bcc" not in mail
    assert "X-Evil" not in mail
    assert len(mail["Subject"].splitlines()) == 1
    assert len(mail["Subject"]) <= MAX_SUBJECT
    assert mail["To"].addresses[0].addr_spec == "ann@example.com"
    assert mail["From"].addresses[0].addr_spec == "alerts@acme.example.com"


def test_words_of_a_tenant_are_words(message: Build) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><a href=https://evil.example>"
    mail = received(
        message(
            title=evil,
            message=evil,
            project_name=evil,
            action=Action(url='https://acme.example.com/"onmouseover="x', label=evil),
            recipient=Recipient(user_id=message().event.id, name=evil, locale='"><script>'),
        )
    )
    links, tags = links_and_tags(part(mail, "html"))
    assert links == ["https://tocsin.example.com/ack/abc"]
    assert not tags & {"script", "img"}
    assert evil in part(mail, "plain")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "https://a b",
        "https://a\nb",
        "//x",
        "",
    ],
)
def test_only_web_addresses_are_links(message: Build, url: str) -> None:
    mail = received(message(action=Action(url=url), ack_url=None))
    assert links_and_tags(part(mail, "html"))[0] == []
    assert "Open:" not in part(mail, "plain")


def test_control_characters_and_half_characters_do_not_stop_a_mail(message: Build) -> None:
    mail = received(message(message="a\x00b\ud800c\r\nd\te\x1b[31m" + "x" * 5_000))
    assert "abc\nd\te[31mxxx" in part(mail, "plain")


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com",
        "a.b+c@sub.example.co.uk",
        "o'neil@example.com",
        "x@xn--bcher-kva.example",
        "1@a-b.io",
    ],
)
def test_an_ordinary_address_is_taken(address: str) -> None:
    assert mailbox_problem(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@",
        "@example.com",
        "ann@localhost",
        "ann@example.com\r\nRCPT TO:<eve@example.com>",
        "ann@example.com\n",
        "ann@example.com\x00",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        '"a b"@example.com',
        '"a b"@x',
        "a b@example.com",
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a@-example.com",
        "a@example-.com",
        "a@example..com",
        "a@example.com.",
        "a@b@example.com",
        "a@ex_ample.com",
        "Ann <ann@example.com>",
        "ann@example.com,eve@example.com",
        "ann@exаmple.com",
        "ann@bücher.example",
        "änn@example.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + "b." * 124 + "com" + "m" * 3,
    ],
)
def test_an_address_that_servers_read_differently_is_refused(address: str) -> None:
    assert mailbox_problem(address)
