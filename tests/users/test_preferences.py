"""One call returns and sets all that a person prefers."""

from typing import Any

import pytest

from tests.client import Client, Project
from tests.people import join

ALL: dict[str, Any] = {
    "fallback": {"telegram": False},
    "channels": {"sms": False, "email": True},
    "topics": {"orders": {"muted": True, "subscribed": True, "channels": ["email"], "ignoreQuietHours": True}},
    "quietHours": {"from": "22:00", "to": "07:00", "days": ["mon", "fri"], "channels": ["sms", "email"]},
    "format": {"language": "de-AT", "length": "short", "time": "24h", "number": "1.234,5"},
    "dailySummary": {"enabled": True, "time": "18:00"},
}


async def test_what_was_set_is_returned_and_what_is_left_out_stays(api: Client, acme: Project) -> None:
    ann = await join(api, acme)
    path = f"/users/{ann.id}/preferences"
    reply = await ann.client.put(path, ALL)
    assert (reply.status, reply.json) == (200, ALL)
    reply = await ann.client.put(path, {"channels": {"push": False, "sms": None}, "format": {"length": None}})
    assert reply.json["channels"] == {"email": True, "push": False}
    assert reply.json["format"] == {**ALL["format"], "length": None}
    assert {name: reply.json[name] for name in ("fallback", "topics", "quietHours")} == {
        name: ALL[name] for name in ("fallback", "topics", "quietHours")
    }
    reply = await ann.client.put(path, {"quietHours": None, "topics": {"orders": None}})
    assert (reply.json["quietHours"], reply.json["topics"]) == (None, {})
    assert (await ann.client.get(path)).json == reply.json


async def test_it_is_nobody_elses(api: Client, acme: Project, rival: Project) -> None:
    ann, bob = await join(api, acme), await join(api, acme, name="Bob")
    await ann.client.put(f"/users/{ann.id}/preferences", ALL)
    assert (await bob.client.get(f"/users/{ann.id}/preferences")).status == 404
    assert (await rival.key.get(f"/users/{ann.id}/preferences")).status == 404
    assert (await rival.key.put(f"/users/{ann.id}/preferences", {"channels": {"email": True}})).status == 404
    assert (await acme.key.get(f"/users/{ann.id}/preferences")).json == ALL


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"quietHours": {"from": "25:00", "to": "07:00"}}, "/quietHours/from"),
        ({"quietHours": {"from": "22:00", "to": "22:00"}}, "/quietHours"),
        ({"quietHours": {"from": "22:00", "to": "07:00", "days": ["monday"]}}, "/quietHours/days/0"),
        ({"quietHours": {"from": "22:00", "to": "07:00", "timezone": "UTC"}}, "/quietHours/timezone"),
        ({"topics": {"orders": {"mutted": True}}}, "/topics/orders/mutted"),
        ({"channels": {"E-Mail": False}}, "/channels/E-Mail"),
        ({"format": {"time": "25h"}}, "/format/time"),
        ({"strange": 1}, "/strange"),
    ],
)
async def test_what_makes_no_sense_is_refused_at_its_place(acme: Project, body: Any, pointer: str) -> None:
    ann = await acme.add_user()
    reply = await acme.key.put(f"/users/{ann['id']}/preferences", body)
    assert reply.status == 422
    assert reply.json["errors"][0]["pointer"].startswith(pointer)


async def test_there_is_room_for_so_many_topics(acme: Project) -> None:
    ann = await acme.add_user()
    for first in (0, 100):
        topics = {f"topic {first + number}": {"muted": True} for number in range(100)}
        assert (await acme.key.put(f"/users/{ann['id']}/preferences", {"topics": topics})).status == 200
    reply = await acme.key.put(f"/users/{ann['id']}/preferences", {"topics": {"one more": {}}})
    assert (reply.status, reply.json["errors"][0]["code"]) == (422, "too_many")


async def test_the_project_has_quiet_hours_for_everybody(acme: Project) -> None:
    quiet = {"from": "22:00", "to": "07:00"}
    reply = await acme.owner.put("/projects/me/settings", {"quietHours": quiet})
    assert (reply.status, reply.json["quietHours"]) == (200, quiet)
    reply = await acme.owner.put("/projects/me/settings", {"quietHours": None})
    assert (reply.status, reply.json["quietHours"]) == (200, None)


async def test_the_language_of_texts_is_that_of_the_person(acme: Project) -> None:
    ann = await acme.add_user(locale="it")
    path = f"/users/{ann['id']}"
    assert (await acme.key.get(f"{path}/preferences")).json["format"]["language"] == "it"
    assert (await acme.key.put(f"{path}/preferences", {"format": {"language": "de-AT"}})).json["format"]["time"] is None
    assert (await acme.key.get(path)).json["locale"] == "de-AT"
    assert (await acme.key.put(f"{path}/preferences", {"format": {"language": None}})).status == 200
    assert (await acme.key.get(path)).json["locale"] is None
