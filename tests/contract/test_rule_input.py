"""Rules that would cost, break out or never work (bad inputs 43 to 61), through `POST /rules`."""

from typing import Any

import pytest

from tests.client import Project
from tests.contract.conftest import Refused

pytestmark = pytest.mark.usefixtures("nothing_stored")


def rule(**fields: Any) -> dict[str, Any]:
    return {"name": "Hostile", "eventTypes": ["hostile.sent"], "title": "Hello", **fields}


CONDITIONS = {
    "1,001 characters": "x" * 1_001,
    "2,001 characters": "true || " * 250 + "true",
    "nested comprehensions": "payload.a.all(x, x.b.all(y, y.c.all(z, z.d.all(w, w > 1))))",
    "parentheses": "(" * 5_000,
    "closed parentheses": "(" * 450 + "true" + ")" * 450,
    "exclamation marks": "!" * 3_000 + "true",
    "2,000 alternatives": " || ".join(["true"] * 2_000),
    "brackets": "[" * 900,
    "pattern that repeats repeats": "payload.text.matches('(a{1000}){1000}')",
    "pattern that is none": "payload.text.matches('(')",
    "a number": "1 + 1",
    "a text": "'a' + 'b'",
    "another tenant": "tenants['other'].secret == 'a'",
    "secrets": "secrets.key == 'a'",
    "environment": "env.TOCSIN_MASTER_KEY != ''",
    "unknown function": "system('id')",
    "unknown field of the event": "event.projectId == ''",
    "no expression": "; true",
    "half a text": "'abc",
    "a lone quote": "'",
    "no escape": "'\\x'",
    "Python": "__import__('os').system('id')",
    "zero byte": "payload.a == '\0'",
}


@pytest.mark.parametrize("name", CONDITIONS)
async def test_a_condition_that_cannot_work_is_refused_with_its_place(refused: Refused, name: str) -> None:
    body = rule(condition=CONDITIONS[name])
    reply = await refused.send(refused.project.key, "POST", "/rules", {422}, body)
    assert reply.pointers and set(reply.pointers) == {"/condition"}


ERRORS = {
    "division by zero": "1 / payload.zero == 1",
    "overflow": "payload.big + payload.big > 0",
    "missing field": "payload.missing.more == 1",
    "wrong type": "payload.text > 5",
    "no time": "timestamp(payload.text) < timestamp('2026-01-01T00:00:00Z')",
    "no duration": "duration(payload.text) > duration('1s')",
    "catastrophic pattern": "payload.long.matches('^(a+)+$')",
    "no list": "payload.text.all(x, x > 1)",
    "beyond the list": "payload.list[99] == 1",
    "no number": "int(payload.text) == 1",
}
PAYLOAD = {"zero": 0, "big": 2**62, "text": "x", "long": "a" * 100_000 + "!", "list": [1]}


@pytest.mark.parametrize("name", ERRORS)
async def test_what_fails_on_an_event_does_not_match_and_says_why(acme: Project, name: str) -> None:
    draft = {"rule": rule(condition=ERRORS[name]), "event": {"type": "hostile.sent", "payload": PAYLOAD}}
    reply = await acme.key.post("/rules/test", draft)
    assert reply.status == 200, reply.json
    assert reply.json["matched"] is False
    assert reply.json["reason"]


TEMPLATES = {
    "Python's insides": "{{ ''.__class__.__mro__ }}",
    "Jinja's globals": "{{ cycler.__init__.__globals__ }}",
    "Jinja's filter": "{{ 'x' | attr('format') }}",
    "Jinja's multiplication": "{{ 'a'*10**9 }}",
    "unknown variable": "{{ settings.secret }}",
    "unknown filter": "{{ payload.a | system }}",
    "unknown tag": "{% raw_sql %}",
    "include": "{% include '../../etc/passwd' %}",
    "render": "{% render 'secret' %}",
    "extends": "{% extends 'a' %}",
    "unclosed output": "{{ payload.a",
    "unclosed tag": "{% if payload.a %}",
    "5,000 nested ifs": "{% if true %}" * 5_000 + "{% endif %}" * 5_000,
    "60 nested ifs": "{% if payload.a %}" * 60 + "{% endif %}" * 60,
    "parentheses": "{{ " + "(" * 1_000 + "1" + ")" * 1_000 + " }}",
    "zero byte": "a\0b",
    "too long": "a" * 100_000,
}


@pytest.mark.parametrize("field", ["title", "message", "action"])
@pytest.mark.parametrize("name", TEMPLATES)
async def test_a_template_that_cannot_work_is_refused(refused: Refused, name: str, field: str) -> None:
    value: Any = {"url": TEMPLATES[name]} if field == "action" else TEMPLATES[name]
    reply = await refused.send(refused.project.key, "POST", "/rules", {422}, rule(**{field: value}))
    assert all(pointer.startswith(f"/{field}") for pointer in reply.pointers), reply.json


LOOPS = {
    "a hundred million": "{% for i in (1..100000000) %}{% endfor %}",
    "ten million times ten million": (
        "{% for i in (1..10000000) %}{% for j in (1..10000000) %}{% endfor %}{% endfor %}"
    ),
    "joined": "{{ (1..100000000) | join }}",
    "doubling": "{% assign a = 'aaaaaaaaaa' %}" + "{% assign a = a | append: a %}" * 30 + "{{ a }}",
    "captured": "{% capture a %}aaaaaaaaaa{% endcapture %}"
    + "{% capture a %}{{ a }}{{ a }}{% endcapture %}" * 30
    + "{{ a }}",
}


@pytest.mark.parametrize("name", LOOPS)
async def test_a_template_that_would_not_end_is_refused_or_stopped(acme: Project, name: str) -> None:
    draft = {"rule": rule(message=LOOPS[name]), "event": {"type": "hostile.sent", "payload": {}}}
    reply = await acme.key.post("/rules/test", draft)
    assert reply.status in (200, 422), reply.json
    if reply.status == 200:
        assert (reply.json["error"], reply.json["rendered"]) == ("render_error", None)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("{{ 7*7 }}{% if true %}", "{{ 7*7 }}{% if true %}"),
        ("\u202egnp.exe", "\u202egnp.exe"),
        ("e" + "\u0301" * 100, "e" + "\u0301" * 100),
        ("a\r\nBcc: x@y.example", "a Bcc: x@y.example"),
    ],
)
async def test_what_an_event_brings_is_data_in_a_title(acme: Project, value: str, printed: str) -> None:
    event = {"type": "hostile.sent", "payload": {"a": value}}
    reply = await acme.key.post("/rules/test", {"rule": rule(title="{{ payload.a }}"), "event": event})
    assert reply.status == 200, reply.json
    assert reply.json["rendered"]["title"] == printed
