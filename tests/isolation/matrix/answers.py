"""What of an answer must not differ between a foreign id and one that names nothing (specification, section 16)."""

import re
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec

from tests.client import Client, Reply
from tests.isolation.matrix.places import Ask, Place
from tests.isolation.matrix.seeds import Scene

_VOLATILE = re.compile(r"^(date|x-request-id|ratelimit.*|content-length|server|set-cookie)$", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
_MADE = re.compile(r"\b(pk|sk|is)_(live|test)_\w+|\brt_[\w-]+|\beyJ[\w.-]+|\bwhsec_[\w+/=]+")


async def assert_answers_alike(ask: Ask, place: Place, caller: Client, other: Scene, canaries: Iterable[str]) -> None:
    """That another project's id in this place is answered like one of nothing, and shows nothing of anybody."""
    foreign = other.ids[place.id.kind]
    nothing = _names_nothing(foreign)
    theirs, nobodys = [await ask.with_id(place, value).by(caller) for value in (foreign, nothing)]
    assert nobodys.status < 500, nobodys
    assert comparable(theirs, place.id.replaced(foreign)) == comparable(nobodys, place.id.replaced(nothing))
    assert not leaked(theirs, canaries, foreign), theirs


def _names_nothing(foreign: str) -> str:
    """Of the same form and, for an id carries its time, of the same moment."""
    kept, _, tail = foreign.rpartition("-") if "-" in foreign else (foreign[:4], "", foreign[4:])
    return f"{kept}{'-' if kept and '-' in foreign else ''}{secrets.token_hex(len(tail))[: len(tail)]}"


def comparable(reply: Reply, sent: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body without what differs from call to call anyway, and without the id that was sent."""
    headers = {name.lower(): value for name, value in reply.headers.items() if not _VOLATILE.match(name)}
    body = reply.json
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in ("requestId", "instance")}
    text = as_text(body).replace(sent, "<sent>")
    for pattern, word in ((_MADE, "<made>"), (_UUID, "<id>"), (_TIME, "<time>")):
        text = pattern.sub(word, text)
    return reply.status, headers, text


def as_text(body: Any) -> str:
    return body if isinstance(body, str) else msgspec.json.encode(body).decode()


def leaked(reply: Reply, canaries: Iterable[str], sent: str = "") -> list[str]:
    """What of another project shows in an answer: its words and ids, the sent one excepted."""
    text = as_text(reply.json) + str(dict(reply.headers))
    return [canary for canary in canaries if canary in text and canary != sent]
