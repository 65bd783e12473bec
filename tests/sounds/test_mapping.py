"""Which sound a notification has: its rule's, its topic's, its priority's, or none."""

import asyncio
from typing import Any

import pytest

from tests.client import Project, sign_up
from tests.endpoint import Endpoint, endpoint
from tests.people import join
from tests.pipeline import Working, make_rule, notified, send_event, until
from tests.sounds.library import fetched, uploaded
from tests.sounds.wave import pitch_of, tone


async def sounding(project: Project, caller: Any = None, **fields: Any) -> Any:
    """The notification that a rule of a type of its own makes."""
    person = await project.add_user()
    caller = caller or project.key
    kind = f"rung.{person['id'][-8:]}"
    reply = await caller.post(
        "/rules",
        {"name": kind, "eventTypes": [kind], "title": "Ring", "targetUsers": [person["id"]], **fields},
    )
    assert reply.status == 201, reply.json
    return await notified(caller, await send_event(caller, kind))


async def set_defaults(caller: Any, topics: dict[str, str] | None = None, **priorities: str) -> None:
    reply = await caller.put("/sounds/defaults", {"topics": topics or {}, "priorities": priorities})
    assert reply.status == 200, reply.json


async def test_a_rules_own_sound_wins_then_its_topics_then_its_prioritys(working: Working, shop: Project) -> None:
    await set_defaults(shop.key, {"orders": "cash_register"}, high="siren", normal="ping")
    heard = [
        (await sounding(shop, **fields))["sound"]
        for fields in (
            {"sound": "knock", "topic": "orders", "priority": "high"},
            {"topic": "orders", "priority": "high"},
            {"topic": "stock", "priority": "high"},
            {},
            {"priority": "low"},
        )
    ]
    assert heard == ["knock", "cash_register", "siren", "ping", None]


async def test_a_notification_says_where_its_sound_is_played(working: Working, shop: Project) -> None:
    await uploaded(shop.key, "oven", tone(pitch=700))
    made = await sounding(shop, sound="oven")
    status, file, _ = await fetched(shop.key, made["soundUrl"])
    assert status == 200
    assert pitch_of(file) == pytest.approx(700, abs=2)
    silent = await sounding(shop)
    assert (silent["sound"], silent["soundUrl"]) == (None, None)


async def test_a_sound_of_ones_own_is_heard_in_place_of_the_built_in_one(working: Working, shop: Project) -> None:
    before = await sounding(shop, sound="bell")
    await uploaded(shop.key, "bell", tone(pitch=1234))
    after = await sounding(shop, sound="bell")
    assert before["soundUrl"] != after["soundUrl"]
    assert pitch_of((await fetched(shop.key, after["soundUrl"]))[1]) == pytest.approx(1234, abs=2)


async def test_what_was_made_keeps_the_sound_it_was_made_with(working: Working, shop: Project) -> None:
    await set_defaults(shop.key, normal="chime")
    made = await sounding(shop)
    await set_defaults(shop.key, normal="thud")
    again = (await shop.key.get(f"/notifications/{made['id']}")).json
    assert (again["sound"], again["soundUrl"]) == ("chime", made["soundUrl"])


async def test_the_sandbox_hears_its_own_defaults_and_else_the_live_ones(working: Working, shop: Project) -> None:
    await set_defaults(shop.key, normal="chime")
    person = (await shop.add_user(env="test"))["id"]

    async def in_test(kind: str) -> Any:
        body = {"name": kind, "eventTypes": [kind], "title": "Ring", "targetUsers": [person]}
        assert (await shop.test_key.post("/rules", body)).status == 201
        return (await notified(shop.test_key, await send_event(shop.test_key, kind)))["sound"]

    assert await in_test("test.first") == "chime"
    await set_defaults(shop.test_key, normal="knock")
    assert await in_test("test.second") == "knock"
    assert (await shop.key.get("/sounds/defaults")).json["priorities"] == {"normal": "chime"}


async def test_one_projects_defaults_and_sounds_are_nothing_to_another(working: Working, shop: Project) -> None:
    rival = await sign_up(working.api, "Rival")
    await uploaded(shop.key, "secret")
    await set_defaults(shop.key, normal="secret")
    assert (await rival.key.get("/sounds/defaults")).json == {"topics": {}, "priorities": {}}
    assert (await sounding(rival))["sound"] is None
    refused = await rival.key.put("/sounds/defaults", {"priorities": {"low": "secret"}})
    assert (refused.status, refused.pointers) == (422, ["/priorities/low"])


async def test_a_sound_that_does_not_exist_is_refused_at_its_place(working: Working, shop: Project) -> None:
    body = {"name": "Deaf", "eventTypes": ["a"], "title": "x", "sound": "trumpet"}
    refused = await shop.key.post("/rules", body)
    assert [(each["pointer"], each["code"]) for each in refused.json["errors"]] == [("/sound", "unknown_sound")]
    draft = await shop.key.post("/rules/test", {"rule": body, "event": {"type": "a", "payload": {}}})
    assert (draft.status, draft.pointers) == (422, ["/rule/sound"])
    topics = {"a/b": "trumpet", "ok": "bell"}
    defaults = await shop.key.put("/sounds/defaults", {"topics": topics, "priorities": {"low": "tuba"}})
    assert (defaults.status, defaults.pointers) == (422, ["/topics/a~1b", "/priorities/low"])


async def test_a_name_from_before_there_were_sounds_stays_and_is_sent_as_it_is(working: Working, shop: Project) -> None:
    rule = await make_rule(shop, eventTypes=["old.type"], targetRoles=["owner"])
    await working.sql.execute("UPDATE tocsin.rules SET sound = 'alarm.caf' WHERE id = $1", rule["id"])
    changed = await shop.key.put(f"/rules/{rule['id']}", {"sound": "alarm.caf", "title": "Still"})
    assert (changed.status, changed.json["sound"]) == (200, "alarm.caf")
    made = await notified(shop.key, await send_event(shop.key, "old.type"))
    assert (made["sound"], made["soundUrl"]) == ("alarm.caf", None)
    assert (await shop.key.put(f"/rules/{rule['id']}", {"sound": "horn.caf"})).pointers == ["/sound"]


async def test_a_sound_in_use_is_not_deleted_and_the_answer_names_the_rules(working: Working, shop: Project) -> None:
    sound = await uploaded(shop.key, "busy")
    rule = await make_rule(shop, eventTypes=["x"], name="Night watch", sound="busy")
    refused = await shop.key.delete(f"/sounds/{sound['id']}")
    assert (refused.status, refused.code) == (409, "sound_in_use")
    assert "'Night watch'" in refused.json["detail"]
    assert (await shop.key.put(f"/rules/{rule['id']}", {"sound": None})).status == 200
    await set_defaults(shop.key, {"orders": "busy"})
    assert (await shop.key.delete(f"/sounds/{sound['id']}")).code == "sound_in_use"
    await set_defaults(shop.key)
    assert (await shop.key.delete(f"/sounds/{sound['id']}")).status == 204
    assert (await fetched(shop.key, sound["url"]))[0] == 404


async def test_whoever_names_a_sound_makes_its_deletion_wait(working: Working, shop: Project) -> None:
    """A rule that is being saved and a sound that is being deleted: one of them is refused, whichever comes first."""
    for number in range(4):
        sound = await uploaded(shop.key, f"contested_{number}")
        body = {"name": f"R{number}", "eventTypes": [f"c.{number}"], "title": "x", "sound": sound["name"]}
        saved, deleted = await asyncio.gather(shop.key.post("/rules", body), shop.key.delete(f"/sounds/{sound['id']}"))
        assert (saved.status, deleted.status) in ((201, 409), (422, 204))


async def test_a_sound_that_two_delete_at_once_is_deleted_once(working: Working, shop: Project) -> None:
    sound = await uploaded(shop.key, "gone")
    replies = await asyncio.gather(*(shop.key.delete(f"/sounds/{sound['id']}") for _ in range(3)))
    assert sorted(reply.status for reply in replies) == [204, 404, 404]
    entries = (await shop.owner.get("/audit", action="sound.deleted")).json["items"]
    assert [entry["resourceId"] for entry in entries] == [sound["id"]]


async def test_defaults_that_two_set_at_once_are_those_of_one(working: Working, shop: Project) -> None:
    wanted = [{"normal": "ping"}, {"low": "thud"}, {"high": "horn"}]
    replies = await asyncio.gather(*(shop.key.put("/sounds/defaults", {"priorities": each}) for each in wanted))
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert (await shop.key.get("/sounds/defaults")).json["priorities"] in wanted


async def test_a_webhook_is_told_name_and_address(working: Working, shop: Project) -> None:
    async with endpoint() as far:
        await far.connect(shop)
        await make_rule(shop, "webhook", eventTypes=["told"], sound="siren")
        await send_event(shop.key, "told")
        await until(lambda: _called(far))
        data = far.calls[0].data
    assert data["sound"] == "siren"
    _, _, path = data["soundUrl"].partition("/api/v1/")  # a worker without a public address names its own port
    assert (await fetched(shop.key, f"{shop.key.base}/api/v1/{path}"))[0] == 200


async def _called(far: Endpoint) -> bool:
    return bool(far.calls)


async def test_a_person_who_was_away_learns_the_sound_too(working: Working, shop: Project) -> None:
    ann = await join(working.api, shop)
    await make_rule(shop, "realtime", eventTypes=["away"], targetUsers=[ann.id], sound="horn")
    await notified(shop.key, await send_event(shop.key, "away"))
    (missed,) = (await ann.client.get("/notifications", sinceSeq=0)).json["items"]
    assert missed["sound"] == "horn"
    assert (await fetched(ann.client, missed["soundUrl"]))[0] == 200
