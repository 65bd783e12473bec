"""Who may say "mine", for whom, and what is left of it (R3)."""

from typing import Any

import pytest

from tests.client import Project, sign_up
from tests.people import Person, join
from tests.pipeline import Working, make_rule, notified, send_event

ABSENT = "00000000-0000-7000-8000-000000000002"


@pytest.fixture
async def ann(working: Working, shop: Project) -> Person:
    return await join(working.api, shop)


@pytest.fixture
async def path(shop: Project, ann: Person) -> str:
    """Where Ann's notification is acknowledged."""
    await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True)
    made = await notified(shop.key, await send_event(shop.key))
    assert made["acknowledgedBy"] == []
    return f"/notifications/{made['id']}/acknowledge"


def by(reply: Any) -> list[tuple[Any, str]]:
    assert reply.status == 200, reply.json
    return [(each["userId"], each["via"]) for each in reply.json["acknowledgedBy"]]


async def test_a_backend_acknowledges_for_a_person(shop: Project, ann: Person, path: str) -> None:
    reply = await shop.key.put(path, {"userId": ann.id})
    assert by(reply) == [(ann.id, "api")]
    [recipient] = reply.json["recipients"]
    assert recipient["acknowledgedAt"] == recipient["readAt"] == recipient["seenAt"]
    assert recipient["acknowledgedAt"] == reply.json["acknowledgedBy"][0]["at"]


async def test_a_backend_acknowledges_for_itself(shop: Project, path: str) -> None:
    assert by(await shop.key.put(path)) == [(None, "api")]


async def test_only_a_recipient_can_be_named(shop: Project, path: str) -> None:
    stranger = await shop.add_user()
    for named in (stranger["id"], ABSENT):
        reply = await shop.key.put(path, {"userId": named})
        assert (reply.status, reply.pointers) == (422, ["/userId"])


async def test_the_owner_need_not_be_a_recipient(shop: Project, ann: Person, path: str) -> None:
    owner = shop.signed_up["user"]["id"]
    assert (await shop.owner.put("/users/" + owner, {"name": "Olga"})).status == 200
    assert by(await shop.owner.put(path)) == [(owner, "panel")]
    assert [
        each["name"] for each in (await ann.client.get(path.removesuffix("/acknowledge"))).json["acknowledgedBy"]
    ] == ["Olga"]
    assert by(await ann.client.put(path)) == [(owner, "panel"), (ann.id, "panel")]


async def test_a_person_speaks_only_for_themselves(shop: Project, ann: Person, path: str) -> None:
    other = await shop.add_user()
    reply = await ann.client.put(path, {"userId": other["id"]})
    assert (reply.status, reply.pointers) == (422, ["/userId"])
    assert by(await ann.client.put(path, {"userId": ann.id})) == [(ann.id, "panel")]


async def test_saying_it_again_changes_nothing(working: Working, shop: Project, ann: Person, path: str) -> None:
    first = await ann.client.put(path)
    again = await ann.client.put(path)
    assert again.json == first.json
    assert by(await shop.key.put(path)) == [(ann.id, "panel")]
    entries = "SELECT count(*) FROM tocsin.audit_log WHERE project_id = $1 AND action = 'notification.acknowledged'"
    assert await working.sql.fetchval(entries, shop.id) == 1


async def test_who_did_not_receive_it_does_not_find_it(working: Working, shop: Project, path: str) -> None:
    bob = await join(working.api, shop, name="Bob")
    rival = await sign_up(working.api, "Rival")
    for caller in (bob.client, rival.key, rival.owner):
        hidden, absent = await caller.put(path), await caller.put(f"/notifications/{ABSENT}/acknowledge")
        assert (hidden.status, absent.status) == (404, 404)
        for reply in (hidden, absent):
            reply.json.pop("requestId")
            reply.json.pop("instance", None)
        assert hidden.json == absent.json
    assert (await shop.key.get(path.removesuffix("/acknowledge"))).json["acknowledgedBy"] == []


async def test_who_may_only_read_may_not_acknowledge(shop: Project, path: str) -> None:
    _, reader = await shop.new_key("notifications:read")
    assert (await reader.put(path)).status == 403
