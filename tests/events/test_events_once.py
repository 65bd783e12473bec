"""Keys that make sending repeatable (E2), and the express way that events of servers take."""

from typing import Any

import pytest

from tests.client import Project, Reply


def _event(key: str | None, amount: int = 1) -> dict[str, Any]:
    return {"type": "order.created", "payload": {"amount": amount}, "clientEventId": key}


async def _batch(project: Project, *events: dict[str, Any]) -> list[Any]:
    reply = await project.key.post("/events/batch", {"events": list(events)})
    assert reply.status == 202, reply.json
    results: list[Any] = reply.json["results"]
    return results


async def test_a_batch_tells_new_events_repeats_and_conflicts_apart(acme: Project) -> None:
    (first,) = await _batch(acme, _event("once-1"))
    results = await _batch(
        acme, _event("once-1"), _event("once-2"), _event(None), _event("once-1", amount=2), _event("once-3")
    )
    assert [result["status"] for result in results] == ["duplicate", "accepted", "accepted", "rejected", "accepted"]
    assert results[0]["id"] == first["id"]
    assert results[3]["id"] is None
    assert results[3]["error"]["code"] == "client_event_id_conflict"


async def test_a_repeat_is_found_after_groups_without_any_and_new_ones_after_groups_with_some(acme: Project) -> None:
    """A group is stored as if it held no repeat when the last one held none."""
    outcomes = []
    for keys in (("a", "b"), ("c", "a"), ("a", "d"), ("e", "f"), ("f", "g")):
        results = await _batch(acme, *(_event(f"turn-{key}") for key in keys))
        outcomes.append([result["status"] for result in results])
    assert outcomes == [
        ["accepted", "accepted"],
        ["accepted", "duplicate"],
        ["duplicate", "accepted"],
        ["accepted", "accepted"],
        ["duplicate", "accepted"],
    ]


async def test_a_payload_may_hold_every_control_character(acme: Project) -> None:
    text = "".join(map(chr, range(1, 32)))
    first, second = await _batch(acme, *({"type": "a", "payload": {text: text}, "source": "x"} for _ in range(2)))
    for result in (first, second):
        assert (await acme.key.get(f"/events/{result['id']}")).json["payload"] == {text: text}


async def test_a_key_twice_in_one_batch_is_one_event(acme: Project) -> None:
    one, other, third = await _batch(acme, _event("twin"), _event("twin"), _event("single"))
    assert (one["status"], other["status"], third["status"]) == ("accepted", "duplicate", "accepted")
    assert one["id"] == other["id"]


async def test_a_whole_large_batch_may_be_repeated(acme: Project) -> None:
    events = [_event(f"large-{number}") for number in range(1_000)]
    first = await _batch(acme, *events)
    again = await _batch(acme, *events)
    assert {result["status"] for result in first} == {"accepted"}
    assert {result["status"] for result in again} == {"duplicate"}
    assert [result["id"] for result in again] == [result["id"] for result in first]


async def test_the_keys_of_one_project_mean_nothing_to_another(acme: Project, rival: Project) -> None:
    (ours,) = await _batch(acme, _event("shared"))
    (theirs,) = await _batch(rival, _event("shared"))
    assert ours["status"] == theirs["status"] == "accepted"
    assert ours["id"] != theirs["id"]


@pytest.mark.parametrize("origin", [None, "https://app.example"])
async def test_servers_and_browsers_are_answered_alike(acme: Project, origin: str | None) -> None:
    """Only a request that names its origin is spoken to about CORS; everything else is the same."""
    headers = {"Origin": origin} if origin else {}
    accepted = await acme.key.post("/events", _event(None), **headers)
    refused = await acme.key.post("/events", {"type": "order created", "payload": {}}, **headers)
    assert (accepted.status, refused.status) == (202, 422)
    assert refused.pointers == ["/type"]
    for reply in (accepted, refused):
        assert _common(reply)
        assert ("Access-Control-Allow-Origin" in reply.headers) == (origin is not None)


def _common(reply: Reply) -> bool:
    return reply.headers["X-Request-Id"].startswith("req_") and reply.headers["X-Content-Type-Options"] == "nosniff"


async def test_only_posting_events_takes_the_express_way(acme: Project) -> None:
    assert (await acme.key.get("/events")).status == 200
    assert (await acme.key.put("/events", {})).status == 405


@pytest.mark.parametrize("number", ["9223372036854775808", "-9223372036854775809", "1234567890123456789012345678901"])
async def test_an_integer_beyond_64_bits_is_refused(acme: Project, number: str) -> None:
    body = b'{"type":"order.created","payload":{"amount":%s}}' % number.encode()
    reply = await acme.key.post("/events", body)
    assert reply.status in (400, 422)


async def test_the_largest_64_bit_integers_are_taken(acme: Project) -> None:
    body = b'{"type":"order.created","payload":{"most":9223372036854775807,"least":-9223372036854775808}}'
    assert (await acme.key.post("/events", body)).status == 202
