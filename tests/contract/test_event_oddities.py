"""Odd events that are taken, and how they are kept (bad inputs 12, 14, 16, 34, 37 and 61)."""

from typing import Any

import pytest

from tests.client import Project
from tests.contract.conftest import Refused


async def kept(acme: Project, body: Any) -> Any:
    sent = await acme.key.post("/events", body)
    assert sent.status == 202, sent.json
    return (await acme.key.get(f"/events/{sent.json['id']}")).json


async def test_of_a_doubled_key_the_last_one_counts(acme: Project) -> None:
    event = await kept(acme, b'{"type": "a", "payload": {"n": 1, "n": 2}, "type": "b"}')
    assert (event["type"], event["payload"]) == ("b", {"n": 2})


@pytest.mark.parametrize(
    "payload",
    [
        {"__proto__": {"admin": True}, "constructor": {"prototype": 1}, "__class__": "a", "__init__": None},
        {"a\u202eb": "\u200b\ufeff", "combined": "e" + "\u0301" * 100},
        {"": "", " ": " ", "/": "~", "$ref": "#/a"},
        {"big": 2**63 - 1, "small": -(2**63), "float": 1.5e300, "zero": -0.0},
        {"deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
        {"template": "{{ 7*7 }}", "html": "<script>", "sql": "'; DROP TABLE tocsin.events; --"},
    ],
    ids=["names", "marks", "keys", "numbers", "31 levels", "texts"],
)
async def test_data_is_kept_as_it_came(acme: Project, payload: dict[str, Any]) -> None:
    assert (await kept(acme, {"type": "odd.data", "payload": payload}))["payload"] == payload


async def test_minus_zero_is_a_number(acme: Project) -> None:
    assert (await kept(acme, b'{"type": "a", "payload": {"n": -0}}'))["payload"] == {"n": 0}


@pytest.mark.parametrize("id_", ["a b", "ä", "\u202ea", "\u00a0", "a" * 255])
async def test_a_client_event_id_is_any_text_without_controls(acme: Project, id_: str) -> None:
    event = {"type": "odd.id", "payload": {"id": id_}, "clientEventId": id_}
    assert (await kept(acme, event))["clientEventId"] == id_
    again = await acme.key.post("/events", event)
    assert (again.status, again.json["duplicate"]) == (200, True)


async def test_the_same_id_with_another_body_is_a_conflict(refused: Refused, acme: Project) -> None:
    first = await acme.key.post("/events", {"type": "odd.twice", "payload": {"n": 1}, "clientEventId": "twice"})
    body = {"type": "odd.twice", "payload": {"n": 2}, "clientEventId": "twice"}
    reply = await refused.send(acme.key, "POST", "/events", {409}, body)
    assert reply.pointers == ["/clientEventId"]
    assert (await acme.key.get(f"/events/{first.json['id']}")).json["payload"] == {"n": 1}
    found = await acme.key.get("/events", type="odd.twice")
    assert len(found.json["items"]) == 1


async def test_one_bad_event_does_not_spoil_the_others_of_its_batch(acme: Project) -> None:
    good = [{"type": "odd.batch", "payload": {"n": n}} for n in range(3)]
    reply = await acme.key.post("/events/batch", {"events": [good[0], {"type": ""}, good[1], None, good[2]]})
    assert [result["status"] for result in reply.json["results"]] == [
        "accepted",
        "rejected",
        "accepted",
        "rejected",
        "accepted",
    ]
    assert len((await acme.key.get("/events", type="odd.batch")).json["items"]) == 3
