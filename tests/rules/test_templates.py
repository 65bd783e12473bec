from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.rules.templates import (
    MAX_BODY,
    MAX_LENGTH,
    RenderError,
    Template,
    check,
    fitted,
    render,
    variables,
)

CONTEXT: dict[str, Any] = {
    "event": {"type": "order.created", "timestamp": "2026-05-04T22:30:00Z"},
    "payload": {
        "name": "Ada",
        "text": "x" * 60_000,
        "numbers": list(range(5_000)),
        "order": {"lines": [1, True, None], "items": "the field", "size": "XL"},
        "template": "{{7*7}}{% raw %}",
    },
    "user": None,
    "project": {"name": "Shop"},
}


def positions(text: str) -> list[tuple[str, int | None, int | None]]:
    return [(error.code, error.line, error.column) for error in check(text, "/title")]


PRINTED = [
    ("Hi {{ payload.name }} of {{ project.name }}", "Hi Ada of Shop"),
    ("{% if payload.name == 'Ada' %}yes{% else %}no{% endif %}", "yes"),
    (
        "{% for n in payload.numbers limit: 3 %}{{ n }},{{ forloop.last }} {% endfor %}",
        "0,false 1,false 2,true ",
    ),
    ("a {%- if true -%} b {%- endif -%} c", "abc"),
    ("{{- 'x' -}} y", "xy"),
    ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ("{%- raw -%} {% x {%- endraw -%} z", "{% xz"),
    ("a{% comment %} {{ b }} {% comment %} c {% endcomment %} {% nope %} {% endcomment %}d", "ad"),
    ("{% # a note %}a", "a"),
    ("}} %} { {", "}} %} { {"),
    ("{{ payload.template }}", "{{7*7}}{% raw %}"),
    ("{{ payload.order.items }} {{ payload.order.size }}", "the field XL"),
    ("{{ payload.order.lines }} {{ payload.order | json }}", None),
    ("{{ event.timestamp | date: '%d.%m. %H:%M', 'Europe/Vienna' }}", "05.05. 00:30"),
    ("{{ 'soon' | date: '%Y' }}{{ payload.nope | date: '%Y' }}", "soon"),
    ("{{ '<b a=\"1\">x</b> < y' | strip_html }}", "x < y"),
    ("{{ '<script>' }}", "<script>"),
    ("{{ '\u202eabc\u200b' }}", "\u202eabc\u200b"),
    ("{% assign n = 2 | plus: 3 %}{{ n }} {{ 7 | divided_by: 2 }}", "5 3"),
]


@pytest.mark.parametrize(("text", "printed"), PRINTED)
def test_templates_print(text: str, printed: str | None) -> None:
    assert check(text, "/title") == []
    assert render(text, CONTEXT) == (printed or '[1,true,null] {"lines":[1,true,null],"items":"the field","size":"XL"}')


REFUSED = [
    ("{{ payload.a", "syntax", 1, 1),
    ("a\n  {% if payload.a", "syntax", 2, 3),
    ("{% if payload.a %}", "syntax", 1, 4),
    ("{% if payload.a %}{% endfor %}", "syntax", 1, 22),
    ("{% endif %}", "syntax", 1, 4),
    ("{% break %}", "syntax", 1, 4),
    ("{{ }}", "syntax", 1, 1),
    ("{% %}", "syntax", 1, 1),
    ("{% assign x = %}", "syntax", 1, 11),
    ("{% raw %}{{ x }}", "syntax", 1, 4),
    ("{% comment %}{{ a", "syntax", 1, 4),
    ("{{ 7*7 }}", "syntax", 1, 5),
    ("{{ 'a' * 1000000000 }}", "syntax", 1, 8),
    ("{{ ''.__class__.__mro__ }}", "syntax", 1, 6),
    ("{{ payload.a|attr('format') }}", "syntax", 1, 18),
    ("{{ payload.a | attr: 'format' }}", "unknown_filter", 1, 16),
    ("{{ payload.a | nope }}", "unknown_filter", 1, 16),
    ("{{ payload.a | safe }}", "unknown_filter", 1, 16),
    ("é\n{% nope %}", "syntax", 2, 4),
    ("{% include '../../etc/passwd' %}", "syntax", 1, 4),
    ("{% render 'x' %}", "syntax", 1, 4),
    ("{% liquid\n echo payload.a %}", "syntax", 1, 4),
    ("{{ cycler.__init__.__globals__ }}", "unknown_name", 1, 4),
    ("{{ payload.a }}\n {{ amount }}", "unknown_name", 2, 5),
    ("{{ settings.master_key }}", "unknown_name", 1, 4),
    ("{%if 1%}" * 3_000 + "{%endif%}" * 3_000, "syntax", 1, 171),
    ("{{ payload" + "[payload" * 100 + "]" * 100 + " | x }}" + "{{" * 50, "syntax", None, None),
    ("{{ " + "'" * 1_000 + " }}", "syntax", 1, 1),
    ("x" * (MAX_LENGTH + 1), "too_long", None, None),
]


@pytest.mark.parametrize(("text", "code", "line", "column"), REFUSED)
def test_a_mistake_is_refused_with_its_position(text: str, code: str, line: int | None, column: int | None) -> None:
    found = positions(text)[0]
    assert found[0] == code
    assert line is None or found[1:] == (line, column)


@pytest.mark.parametrize(
    "text",
    ["{{" * 32_000, "{%" * 32_000, "{{" + " " * 60_000, "{% raw %}" * 7_000, "{%raw%}" + "{% " * 20_000],
)
def test_sources_that_would_keep_a_backtracking_scanner_busy_for_minutes_are_refused(text: str) -> None:
    assert positions(text)[0][0] == "syntax"


def test_names_can_be_widened_for_other_contexts() -> None:
    assert check("{{ digest.size }}", "/title", names=frozenset({"digest"})) == []
    assert check("{{ anything }}", "/title", names=None) == []


def test_missing_variables_print_nothing_and_are_listed() -> None:
    text = "a{{ payload.nope.x }}{{ user.name }}{{ payload['a b'] }}{{ payload.w | default: 'd' }}"
    rendered = Template(text + "{% if payload.q %}{% endif %}").render(CONTEXT)
    assert rendered.text == "ad"
    assert rendered.missing == ("payload.nope.x", "user.name", "payload.a b")


def test_the_variables_a_template_takes_are_listed() -> None:
    text = "{{ payload.a.b }}{% assign x = event.type %}{{ x }}{% for i in payload.l %}{{ i }}{% endfor %}"
    assert variables(text) == ["event.type", "payload.a.b", "payload.l"]


STOPPED = [
    "{{ payload.text | replace: '', payload.text }}",
    "{{ payload.text | replace: 'x', payload.text }}",
    "{{ (1..100000000) | join }}",
    "{{ payload.numbers | join: payload.text }}",
    "{% for i in (1..10000000) %}{% endfor %}",
    "{% for i in (1..10000) %}{% for j in (1..10000) %}{% endfor %}{% endfor %}",
    "{% for i in (1..9000) %}{{ payload.text }}{% endfor %}",
    "{% assign x = payload.text %}{% for i in (1..30) %}{% assign x = x | append: x %}{% endfor %}",
    "{% for i in (1..30) %}{% capture x %}{{ x }}{{ x }}{{ payload.text }}{% endcapture %}{% endfor %}",
    "{% assign x = 99999999999 %}{% for i in (1..200) %}{% assign x = x | times: x %}{% endfor %}",
    "{{ payload.numbers | concat: payload.numbers | concat: payload.numbers }}",
    "{{ payload.numbers | uniq }}",
    "{{ payload.text | split: '' }}",
    "{{ 1 | divided_by: 0 }}",
    "{{ 'nan' | ceil }}",
    "{{ payload.name | append }}",
    "{{ event.timestamp | date: payload.text }}",
    "{{ event.timestamp | date: '%Y', '../../etc/passwd' }}",
]


@pytest.mark.parametrize("text", STOPPED)
def test_what_would_grow_or_fail_is_a_render_error(text: str) -> None:
    with pytest.raises(RenderError):
        render(text, CONTEXT)


def test_a_render_error_has_a_position() -> None:
    with pytest.raises(RenderError) as caught:
        render("a\n {{ 1 | divided_by: 0 }}", CONTEXT)
    assert (caught.value.line, caught.value.column) == (2, 9)


def test_one_line_texts_have_no_line_breaks() -> None:
    assert fitted("title", " Hi\r\nBcc: a@b.c\u2028x \n") == "Hi Bcc: a@b.c x"
    assert fitted("title.de", "a\nb") == "a b"
    assert fitted("message", "a\nb") == "a\nb"
    assert fitted("message", render("{{ 'a%00b' | url_decode }}", {})) == "a\ufffdb"


@pytest.mark.parametrize(("name", "limit"), [("title", 1_000), ("actionUrl", 2_000), ("message", MAX_BODY)])
def test_too_long_a_text_is_an_error_not_cut(name: str, limit: int) -> None:
    assert fitted(name, "x" * limit) == "x" * limit
    with pytest.raises(RenderError, match=name):
        fitted(name, "x" * (limit + 1))


def test_a_broken_template_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="never closed"):
        Template("{{ a")


PARTS = ["{{", "}}", "{%", "%}", "if", "endif", "for", "in", "raw", "endraw", "comment", "endcomment"]
PARTS += ["-", "|", "'a'", "payload.x", "=", "#", "\n"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS)))
def test_no_text_makes_check_or_rendering_fail_otherwise(parts: list[str]) -> None:
    text = " ".join(parts)
    if not check(text, "/title"):
        try:
            Template(text).render(CONTEXT)
        except RenderError as error:
            assert error.reason


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " JavaScript :alert(1)", "data:text/html,x", "vbscript:x", "file:///etc"]
)
def test_an_action_runs_no_code_where_it_is_opened(url: str) -> None:
    with pytest.raises(RenderError, match="scheme"):
        fitted("actionUrl", url)


@pytest.mark.parametrize(
    "url", ["https://example.com/a?b=javascript:1", "myapp://orders/17", "mailto:a@example.com", "/orders"]
)
def test_other_actions_pass(url: str) -> None:
    assert fitted("actionUrl", url) == url


READER = {"timezone": "Europe/Vienna", "format": {"time": "12h", "number": "1.234,5"}}


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("{{ payload.at | clock: user }}", "2:05 pm"),
        ("{{ payload.night | clock: user }}", "12:30 am"),
        ("{{ payload.at | clock }}", "12:05"),
        ("{{ payload.at | clock: nobody }}", "12:05"),
        ("{{ payload.words | clock: user }}", "soon"),
        ("{{ payload.absent | clock: user }}", ""),
        ("{{ payload.amount | number: user }}", "1.234.567,5"),
        ("{{ payload.amount | number: user, 2 }}", "1.234.567,50"),
        ("{{ payload.amount | number }}", "1,234,567.5"),
        ("{{ payload.count | number: user }}", "-12.000"),
        (
            "{{ payload.amount | number: payload.french }}",
            "1\u202f234\u202f567,5",
        ),
        ("{{ payload.huge | number: user }}", "1e+300"),
        ("{{ payload.words | number: user }}", "soon"),
        ("{{ payload.absent | number: user }}", ""),
    ],
)
def test_times_and_numbers_are_written_as_their_reader_wants(text: str, printed: str) -> None:
    payload = {
        "at": "2026-07-01T12:05:00Z",
        "night": "2026-07-01T22:30:00Z",
        "amount": 1234567.5,
        "count": -12000,
        "huge": 1e300,
        "words": "soon",
        "french": {"format": {"number": "1 234,5"}},
    }
    assert render(text, {"payload": payload, "user": READER}) == printed
