"""Events that are not taken, one by one and in a batch (bad inputs 9 to 16, 34 to 38)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.client import Project
from tests.contract.conftest import Refused

pytestmark = pytest.mark.usefixtures("nothing_stored")


def in_(**time: float) -> str:
    return (datetime.now(UTC) + timedelta(**time)).isoformat()


TYPES = [
    "",
    ".",
    "a..b",
    ".a",
    "a.",
    "a" * 201,
    "ａｄｍｉｎ",
    "order 🎉",
    "order.created\n",
    "order\u0000",
    "a/b",
    "*",
    "order.*",
    "а.б",
    "a\u200bb",
    "a\u202eb",
    "order created",
]
TIMES = [
    "",
    "now",
    "infinity",
    "1970-01-01T00:00:00Z",
    "+294277-01-01T00:00:00Z",
    "294277-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-11-21T24:00:01Z",
    "2026-11-21T12:00:00",
    "2026-11-21",
    "2026-11-21T12:00:00+99:00",
    "2026-W47-6T12:00:00Z",
    "1763726400",
    "٢٠٢٦-11-21T12:00:00Z",
    in_(hours=1),
    in_(days=-400),
    in_() + "Z",
]
EVENTS: list[tuple[dict[str, Any], str]] = [
    *(({"type": type_, "payload": {}}, "/type") for type_ in TYPES),
    *(({"type": "a", "payload": {}, "timestamp": time}, "/timestamp") for time in TIMES),
    *(({"type": "a", "payload": payload}, "/payload") for payload in (None, [], "{}", 1, True)),
    *(({"type": type_, "payload": {}}, "/type") for type_ in (None, 1, ["a"], {"a": "b"})),
    *(({"type": "a", "payload": {}, "clientEventId": id_}, "/clientEventId") for id_ in ("", "a" * 256, "a\nb", 1)),
    *(({"type": "a", "payload": {}, "source": source}, "/source") for source in ("", "a" * 201, "a\x1bb", 1)),
    # What fields of a group are kept apart by on their way into the database.
    *(({"type": "a", "payload": {}, name: "a\x1eb"}, f"/{name}") for name in ("source", "clientEventId", "timestamp")),
    ({"type": "a\x1eb", "payload": {}}, "/type"),
    ({"type": "a"}, "/payload"),
    ({"payload": {}}, "/type"),
    ({"type": "a", "payload": {}, "id": "1"}, "/id"),
    ({"type": "a", "payload": {}, "projectId": "1"}, "/projectId"),
    ({"type": "a", "payload": {}, "env": "live"}, "/env"),
    ({"type": "a", "payload": {"a": "b\0c"}}, "/payload/a"),
    ({"type": "a", "payload": {"a\0b": 1}}, "/payload"),
    ({"type": "a", "payload": {"a": [1, {"b/~": 2**63}]}}, "/payload/a/1/b~1~0"),
    ({"type": "a", "payload": {"a": 10**300}}, "/payload/a"),
    ({"type": "a", "payload": {f"k{n}": 1 for n in range(1_001)}}, "/payload"),
]
NAMES = [f"{number} {place}" for number, (_, place) in enumerate(EVENTS)]
"""Without the values, since those of times are others in each process."""


@pytest.mark.parametrize(("event", "place"), EVENTS, ids=NAMES)
async def test_a_mistake_in_an_event_is_named(refused: Refused, event: dict[str, Any], place: str) -> None:
    reply = await refused.send(refused.project.key, "POST", "/events", {422}, event)
    assert place in reply.pointers


@pytest.mark.parametrize(("event", "place"), EVENTS, ids=NAMES)
async def test_the_same_in_a_batch_refuses_that_event_alone(acme: Project, event: dict[str, Any], place: str) -> None:
    reply = await acme.key.post("/events/batch", {"events": [event]})
    assert reply.status == 202
    (result,) = reply.json["results"]
    assert (reply.json["rejected"], result["status"], result["id"]) == (1, "rejected", None)
    assert place in [error["pointer"] for error in result["error"]["errors"]]


PAYLOADS = {
    "NaN": b"NaN",
    "minus Infinity": b"-Infinity",
    "1e400": b"1e400",
    "lone surrogate": b'"\\ud800"',
    "invalid UTF-8": b'"\xff"',
    "33 levels": b"[" * 32 + b"]" * 32,
    "1,000 levels": b"[" * 1_000 + b"]" * 1_000,
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "truncated": b"{",
}


@pytest.mark.parametrize("name", PAYLOADS)
async def test_a_payload_that_is_no_json_is_refused(refused: Refused, name: str) -> None:
    event = b'{"type": "a", "payload": {"a": ' + PAYLOADS[name] + b"}}"
    await refused.send(refused.project.key, "POST", "/events", {400}, event)


@pytest.mark.parametrize("size", [256 * 1024 + 1, 300_000])
async def test_an_event_beyond_256_kib_is_refused(refused: Refused, size: int) -> None:
    start, end = b'{"type": "a", "payload": {"a": "', b'"}}'
    event = start + b"a" * (size - len(start) - len(end)) + end
    await refused.send(refused.project.key, "POST", "/events", {413}, event)


@pytest.mark.parametrize("count", [0, 1_001, 10_000])
async def test_a_batch_has_one_to_a_thousand_events(refused: Refused, count: int) -> None:
    batch = {"events": [{"type": "a", "payload": {}}] * count}
    reply = await refused.send(refused.project.key, "POST", "/events/batch", {422}, batch)
    assert reply.pointers == ["/events"]


@pytest.mark.parametrize("batch", [{}, {"events": None}, {"events": {}}, {"events": "a"}, {"events": [], "a": 1}, []])
async def test_what_is_no_batch_is_refused(refused: Refused, batch: Any) -> None:
    await refused.send(refused.project.key, "POST", "/events/batch", {422}, batch)


@pytest.mark.parametrize("item", [None, 1, "a", [], [[]]])
async def test_an_item_that_is_no_event_is_refused_alone(acme: Project, item: Any) -> None:
    reply = await acme.key.post("/events/batch", {"events": [item]})
    assert (reply.status, reply.json["rejected"]) == (202, 1)
