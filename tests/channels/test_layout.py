"""Layouts of mails: what is taken, at which place the rest is refused, and what is made of them."""

from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.channels.test_mail import links_and_tags, part, received
from tocsin.channels.contract import Branding, Message
from tocsin.channels.layout.allowed import TAGS
from tocsin.channels.layout.around import STANDARD, around
from tocsin.channels.layout.check import LONGEST, check

Build = Callable[..., Message]

OWN = """<!-- our letterhead -->
<table role="presentation" width="100%" cellpadding="0"
  style="border-collapse:collapse" bgcolor="{{branding.brandColor}}">
<tr><td align="center" style="padding:24px;border-top:4px solid {{ branding.brandColor }}">
<a href="https://shop.example.com/?a=1&amp;b=2">
<img src="{{ branding.logoUrl }}" alt="{{ project.name }}" height="40"></a>
</td></tr>
<tr><td style="font-family:Georgia, serif;color:rgb(20, 20, 20)">{{ content }}</td></tr>
<tr><td><p>{{ branding.emailFooter }}</p><a href="{{ unsubscribeUrl }}">Abmelden</a></td></tr>
</table>
"""

VALUES = {
    "project.name": "Acme",
    "branding.logoUrl": "https://cdn.example.com/logo.png",
    "branding.emailFooter": "Acme\nVienna",
    "unsubscribeUrl": "https://tocsin.example.com/u/1?a=1&b=2",
}


def test_both_layouts_can_be_saved() -> None:
    assert check(OWN) == []
    assert check(STANDARD) == []


def test_a_mail_stands_within_the_layout_of_its_project(message: Build) -> None:
    looks = Branding(logo_url=VALUES["branding.logoUrl"], color="#ffcc00", footer="Acme\nVienna", layout=OWN)
    mail = received(message(branding=looks, unsubscribe_url=VALUES["unsubscribeUrl"]))
    html = part(mail, "html")
    links, _ = links_and_tags(html)
    assert links[0] == "https://shop.example.com/?a=1&b=2"
    assert VALUES["branding.logoUrl"] in links
    assert links.count(VALUES["unsubscribeUrl"]) == 1
    assert 'bgcolor="#ffcc00"' in html
    assert "border-top:4px solid #ffcc00" in html
    assert "Acme<br>\nVienna" in html
    assert "letterhead" not in html
    assert ">Unsubscribe<" not in html
    assert html.index("Georgia") < html.index("Oven 3 is too hot</h1>") < html.index("Abmelden")
    plain = received(message(unsubscribe_url=VALUES["unsubscribeUrl"], branding=replace(looks, layout=None)))
    assert part(mail, "plain") == part(plain, "plain")


def test_what_has_a_variable_without_a_value_is_left_out() -> None:
    nothing = {**VALUES, "branding.logoUrl": "", "branding.emailFooter": "", "unsubscribeUrl": ""}
    html = around(OWN, "<h1>Words</h1>", "#000000", nothing)
    assert "<img" not in html
    assert "Abmelden" not in html
    assert "<p>" not in html
    assert "<h1>Words</h1>" in html
    assert "{{" not in html
    holding = '<div>{{ branding.emailFooter }}<a href="{{ unsubscribeUrl }}"><div>{{ content }}</div></a></div>'
    assert around(holding, "Words", "#000000", nothing) == "<div><div>Words</div></div>"


def test_a_mail_can_be_left_whatever_its_layout_says() -> None:
    html = around("<div>{{ content }}</div>", "Words", "#000000", VALUES)
    assert links_and_tags(html)[0] == [VALUES["unsubscribeUrl"]]


def test_a_layout_that_lost_its_content_is_not_used() -> None:
    html = around("<select>{{ content }}</select><p>Own</p>", "<h1>Words</h1>", "#000000", VALUES)
    assert "<h1>Words</h1>" in html
    lost = around("<p>Own</p>", "<h1>Words</h1>", "#000000", VALUES)
    assert "<h1>Words</h1>" in lost
    assert "Own" not in lost


@pytest.mark.parametrize(
    ("layout", "code", "line", "column"),
    [
        ("<script>x</script>{{ content }}", "element", 1, 1),
        ("{{ content }}\n <style>a {}</style>", "element", 2, 2),
        ("{{ content }}<svg><a></a></svg>", "element", 1, 14),
        ("<div\n  title='x' onclick='y()'>{{ content }}</div>", "attribute", 2, 13),
        ("<div class='x'>{{ content }}</div>", "attribute", 1, 6),
        ("<div style='position:fixed'>{{ content }}</div>", "css_property", 1, 6),
        ("<div style='background:url(https://x.example)'>{{ content }}</div>", "css_value", 1, 6),
        ("<div style='display:none'>{{ content }}</div>", "css_value", 1, 6),
        ("<div style='display:" + "(" * 3000 + "'>{{ content }}</div>", "css_too_deep", 1, 6),
        ("<div style='@import x'>{{ content }}</div>", "css_syntax", 1, 6),
        ("{{ content }}<a href='{{ unsubscribeUrl }}'><b>&nbsp;</b></a>", "nothing_shown", 1, 14),
        ("{{ content }}<p>&#123;&#x7b; content }}</p>", "syntax", 1, 17),
        ("{{ content }}<a href='javascript:alert(1)'>x</a>", "address", 1, 17),
        ("{{ content }}<a href='java&#115;cript:alert(1)'>x</a>", "address", 1, 17),
        ("{{ content }}<a href='http://x.example'>x</a>", "address", 1, 17),
        ("{{ content }}<a href='https://x.example/{{ project.name }}'>x</a>", "place", 1, 17),
        ("{{ content }}<img src='data:image/png;base64,AA'>", "address", 1, 19),
        ("{{ content }}<img src='{{ unsubscribeUrl }}'>", "place", 1, 19),
        ("{{ content }}\n{{ branding.logoUrl }}", "place", 2, 1),
        ("<p>{{ content }}</p>", "place", 1, 4),
        ("{{ content }}<p>{{ payload.x }}</p>", "unknown_name", 1, 17),
        ("{{ content | upcase }}", "unknown_name", 1, 1),
        ("{% if content %}{{ content }}{% endif %}", "syntax", 1, 1),
        ("{{ content }} {{ project.name", "syntax", 1, 15),
        ("<div>{{ content }}", "not_closed", 1, 1),
        ("<b><i>x</b></i>{{ content }}", "not_closed", 1, 8),
        ("{{ content }}</div>", "syntax", 1, 14),
        ("{{ content }} a < b", "syntax", 1, 17),
        ("{{ content }}<p title='a' title='b'></p>", "syntax", 1, 27),
        ("<!doctype html>{{ content }}", "not_taken", 1, 1),
        ("<!--[if mso]>{{ content }}", "not_taken", 1, 1),
        ("<p>x</p>", "content_missing", 1, 1),
        ("{{ content }}\n{{ content }}", "content_twice", 2, 1),
        ("<div>" * 101 + "{{ content }}" + "</div>" * 101, "too_deep", 1, 501),
        ("x" * LONGEST + "{{ content }}", "too_long", None, None),
    ],
)
def test_what_cannot_stay_is_refused_at_its_place(layout: str, code: str, line: int | None, column: int | None) -> None:
    errors = check(layout)
    assert (code, line, column) in [(each.code, each.line, each.column) for each in errors]
    assert {each.pointer for each in errors} == {"/body"}


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<!--", "</a ", '<a b="', "{{", "{{ ", "<div>", "<a x ", "&", "<p style='(", "'"]
)
def test_no_layout_takes_long_to_judge(piece: str) -> None:
    """Quadratic time would be minutes here."""
    errors = check((piece * LONGEST)[: LONGEST - 13] + "{{ content }}")
    assert len(errors) <= 20


_WORDS = """< > " ' = / & ; <!-- --> {{content}} {{ }} script svg math style noscript template p table td a img href src
onload javascript: x &lt;"""
_PIECES = st.sampled_from([*_WORDS.split(), " ", "\n"])


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=40).map("".join), st.text())
def test_whatever_a_layout_is_a_mail_has_harmless_html_and_its_words(layout: str, said: str) -> None:
    """Also one that was never checked: what is written has passed the sanitiser."""
    values = {**VALUES, "project.name": said, "branding.emailFooter": "{{ content }}<script>" + said}
    html = around(layout, "<h1>Words</h1>", "#000000", values)
    tags: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            assert all(not name.startswith("on") and "javascript" not in (value or "") for name, value in attrs)

    Reader().feed(html)
    assert tags <= TAGS
    assert html.count("<h1>Words</h1>") == 1
