"""Event types: registered, refused at the door or told of in the story, listed once seen (E7)."""

import asyncio
import itertools
from typing import Any

import pytest

from tests.client import Client, Project, Reply, sign_up
from tests.pipeline import Working, story, until

_numbers = itertools.count(1)

ORDER: dict[str, Any] = {
    "type": "object",
    "required": ["orderId"],
    "properties": {"orderId": {"type": "string"}, "amount": {"type": "number", "minimum": 0}},
}


def named() -> str:
    return f"declared.n{next(_numbers)}"


async def register(project: Project, name: str, mode: str = "reject", **fields: Any) -> Any:
    body = {"name": name, "schema": ORDER, "example": {"orderId": "A-1"}, "mode": mode, **fields}
    reply = await project.key.post("/event-types", body)
    assert reply.status == 201, reply.json
    if mode == "reject":
        await until(lambda: refused(project.key, name), 5)
    return reply.json


async def refused(caller: Client, name: str) -> bool:
    return (await send(caller, name, orderId=0)).status == 422


async def taken(caller: Client, name: str) -> bool:
    return not await refused(caller, name)


async def send(caller: Client, type_: str, **payload: Any) -> Reply:
    return await caller.post("/events", {"type": type_, "payload": payload})


async def test_a_type_is_answered_as_it_was_sent_and_belongs_to_one_project(acme: Project, rival: Project) -> None:
    made = await register(acme, "order.placed", description="Somebody bought something.")
    assert (made["schema"], made["example"], made["mode"]) == (ORDER, {"orderId": "A-1"}, "reject")
    assert (await acme.key.get(f"/event-types/{made['id']}")).json == made
    again = await acme.key.post("/event-types", {"name": "order.placed"})
    assert (again.status, again.code) == (409, "event_type_exists")
    assert (await rival.key.post("/event-types", {"name": "order.placed"})).status == 201
    assert (await rival.key.get(f"/event-types/{made['id']}")).status == 404
    listed = (await rival.key.get("/event-types")).json["items"]
    assert made["id"] not in [each["id"] for each in listed]


async def test_the_door_refuses_what_does_not_fit_with_its_places(acme: Project, rival: Project) -> None:
    name = named()
    await register(acme, name)
    reply = await send(acme.key, name, amount=-1)
    assert (reply.status, reply.code) == (422, "schema_mismatch")
    assert set(reply.pointers) == {"/payload", "/payload/amount"}
    assert (await send(acme.key, name, orderId="A-1")).status == 202
    assert (await send(rival.key, name, amount=-1)).status == 202


async def test_a_batch_keeps_what_fits(acme: Project) -> None:
    name = named()
    await register(acme, name)
    events = [{"type": name, "payload": {"orderId": value}} for value in ("A", 1, "B")]
    reply = await acme.key.post("/events/batch", {"events": [*events, {"type": "else", "payload": {}}]})
    assert [each["status"] for each in reply.json["results"]] == ["accepted", "rejected", "accepted", "accepted"]
    assert reply.json["results"][1]["error"]["errors"][0]["pointer"] == "/payload/orderId"


async def test_a_changed_type_counts_within_a_second(acme: Project) -> None:
    name = named()
    assert await taken(acme.key, name)
    made = await register(acme, name)
    assert (await acme.key.put(f"/event-types/{made['id']}", {"mode": "off"})).status == 200

    await until(lambda: taken(acme.key, name), 5)
    assert (await acme.key.put(f"/event-types/{made['id']}", {"mode": "reject"})).status == 200
    await until(lambda: refused(acme.key, name), 5)
    assert (await acme.key.delete(f"/event-types/{made['id']}")).status == 204
    await until(lambda: taken(acme.key, name), 5)


async def test_the_sandbox_sees_live_types_and_may_have_its_own(acme: Project) -> None:
    name = named()
    made = await register(acme, name)
    assert (await send(acme.test_key, name)).status == 422
    assert (await acme.test_key.put(f"/event-types/{made['id']}", {"mode": "off"})).code == "live_object"
    own = await acme.test_key.post("/event-types", {"name": name})
    assert own.status == 201
    await until(lambda: taken(acme.test_key, name), 5)
    assert await refused(acme.key, name)
    assert own.json["id"] not in [each["id"] for each in (await acme.key.get("/event-types")).json["items"]]


async def test_a_type_that_warns_keeps_the_event_and_its_story_says_what_is_wrong(working: Working) -> None:
    project, other = await sign_up(working.api), await sign_up(working.api)
    await register(project, "order.placed", "warn")
    sent = await send(project.key, "order.placed", orderId=5)
    assert sent.status == 202
    told = await story(project.key, sent.json["id"])
    assert [(each["pointer"], each["code"]) for each in told["faults"]] == [("/payload/orderId", "schema_mismatch")]
    fits = await send(project.key, "order.placed", orderId="5")
    assert (await story(project.key, fits.json["id"]))["faults"] == []
    theirs = await send(other.key, "order.placed", orderId=5)
    assert (await story(other.key, theirs.json["id"]))["faults"] == []


async def test_types_are_listed_once_they_are_seen(acme: Project, rival: Project) -> None:
    name, registered = named(), named()
    made = await register(acme, registered)
    await asyncio.gather(send(acme.key, name), send(acme.key, registered, orderId="A"))

    async def seen() -> dict[str, Any] | None:
        items = (await acme.key.get("/event-types/seen", limit=200)).json["items"]
        found = {each["name"]: each for each in items}
        return found if {name, registered} <= found.keys() else None

    found = await until(seen)
    assert (found[name]["registered"], found[registered]["registered"]) == (False, True)
    last = found[registered]["lastSeenAt"]
    assert (await acme.key.get(f"/event-types/{made['id']}")).json["lastSeenAt"] == last
    for caller in (rival.key, acme.test_key):
        theirs = (await caller.get("/event-types/seen", limit=200)).json["items"]
        assert name not in [each["name"] for each in theirs]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"schema": {"type": "strin"}}, "/schema/type", "invalid_schema"),
        ({"schema": {"$ref": "http://127.0.0.1:9/x"}}, "/schema/$ref", "unknown_reference"),
        ({"schema": {"properties": {"a": {"$ref": "#/$defs/b"}}}}, "/schema/properties/a/$ref", "unknown_reference"),
        ({"schema": {"pattern": "(a{1000}){1000}"}}, "/schema/pattern", "invalid_schema"),
        ({"schema": {"pattern": "(?=x)"}}, "/schema/pattern", "invalid_schema"),
        ({"schema": {"$ref": "#"}}, "/schema", "circular"),
        ({"schema": {"$id": "https://example.com"}}, "/schema/$id", "not_available"),
        ({"schema": {"description": "x" * 70_000}}, "/schema", "too_long"),
        ({"schema": {"$schema": "http://json-schema.org/draft-07/schema#"}}, "/schema/$schema", "unknown_dialect"),
        ({"schema": ORDER, "example": {"orderId": 5}}, "/example/orderId", "schema_mismatch"),
        ({"mode": "reject"}, "/mode", "needs_schema"),
    ],
)
async def test_what_cannot_be_judged_is_refused_when_it_is_saved(
    acme: Project, body: dict[str, Any], pointer: str, code: str
) -> None:
    reply = await acme.key.post("/event-types", {"name": named(), **body})
    assert reply.status == 422, reply.json
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [(pointer, code)]


async def test_a_condition_is_held_against_the_types_of_its_rule(acme: Project, rival: Project) -> None:
    name = named()
    made = await register(acme, name, "warn")
    rule = {"name": "R", "eventTypes": [name], "title": "T", "condition": "payload.amuont > 5"}
    saved = await acme.key.post("/rules", rule)
    assert saved.status == 201
    (warning,) = saved.json["warnings"]
    assert (warning["code"], warning["line"], warning["column"]) == ("unknown_field", 1, 9)
    assert (await rival.key.post("/rules", rule)).json["warnings"] == []
    await acme.key.put(f"/event-types/{made['id']}", {"mode": "reject"})
    reply = await acme.key.post("/rules", rule)
    assert (reply.status, reply.pointers) == (422, ["/condition"])
    wide = await acme.key.post("/rules", {**rule, "eventTypes": [name, "declared.*"]})
    assert [each["code"] for each in wide.json["warnings"]] == ["unknown_field"]
    partly = await acme.key.post("/rules", {**rule, "eventTypes": [name, "never.registered"]})
    assert partly.json["warnings"] == []
    right = await acme.key.post("/rules", {**rule, "condition": "payload.amount > 5 && event.payload.orderId != ''"})
    assert right.json["warnings"] == []


async def test_a_rule_is_tried_on_the_example_of_its_type(acme: Project) -> None:
    name = named()
    await register(acme, name)
    saved = await acme.key.post("/rules", {"name": "R", "eventTypes": [name], "title": "Order {{ payload.orderId }}"})
    tried = await acme.key.post(f"/rules/{saved.json['id']}/test", {})
    assert (tried.status, tried.json["rendered"]["title"]) == (200, "Order A-1")
    other = await acme.key.post("/rules", {"name": "R", "eventTypes": [named()], "title": "T"})
    reply = await acme.key.post(f"/rules/{other.json['id']}/test", {})
    assert (reply.status, reply.pointers) == (422, ["/event"])
