"""One channel after the other: the next only if the earlier failed or was not seen in time (R2)."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.client import Client, Project
from tests.people import Person
from tests.pipeline import Working, make_rule, notified, send_event, send_events, story, until
from tocsin.kit.ids import new_id
from tocsin.notifications.turns import TAKE

ORDER = {"afterSeconds": 600}
HELD = "held back for a test"


async def channels(caller: Client, notification: Any, **only: str) -> list[tuple[str, str]]:
    """The deliveries of a notification in the order they were made, by channel and state."""
    reply = await caller.get("/deliveries", notificationId=notification["id"], limit=200, **only)
    assert reply.status == 200, reply.json
    made = sorted(reply.json["items"], key=lambda each: each["createdAt"])
    return [(each["channel"], each["state"]) for each in made]


async def are_told(caller: Client, notification: Any, *expected: tuple[str, str]) -> None:
    async def look() -> bool:
        return await channels(caller, notification) == list(expected)

    try:
        await until(look)
    except AssertionError:
        raise AssertionError(await channels(caller, notification)) from None


async def fall_due(sql: asyncpg.Connection, notification: Any, turns: int = 1) -> None:
    """Let the time pass until the next turn."""
    done = await sql.execute(
        "UPDATE tocsin.channel_turns SET due_at = now() WHERE notification_id = $1", notification["id"]
    )
    assert done == f"UPDATE {turns}", "no turn is left"


async def has_turns(sql: asyncpg.Connection, notification: Any) -> int:
    count: int = await sql.fetchval(
        "SELECT count(*) FROM tocsin.channel_turns WHERE notification_id = $1", notification["id"]
    )
    return count


async def over(sql: asyncpg.Connection, notification: Any) -> None:
    async def look() -> bool:
        return await has_turns(sql, notification) == 0

    await until(look)


async def recipient(caller: Client, event_id: str) -> Any:
    told = await story(caller, event_id)
    [found] = told["trace"][0]["recipients"]
    return found


async def test_who_has_not_seen_it_is_told_by_the_next_channel_until_none_is_left(
    working: Working, shop: Project, ann: Person
) -> None:
    sandbox = shop.test_key
    await make_rule(shop, "realtime", "email", "sms", targetUsers=[ann.id], channelOrder=ORDER)
    event = await send_event(sandbox)
    made = await notified(sandbox, event)
    assert await channels(sandbox, made) == [("realtime", "sent")]
    turn = (await recipient(sandbox, event))["turn"]
    assert (turn["channel"], turn["nextChannel"]) == ("realtime", "email")
    assert turn["dueAt"] > made["createdAt"]
    await with_addresses(working, shop, ann)
    await fall_due(working.sql, made)
    await are_told(sandbox, made, ("realtime", "sent"), ("email", "captured"))
    assert (await recipient(sandbox, event))["turn"]["nextChannel"] == "sms"
    await fall_due(working.sql, made)
    await are_told(sandbox, made, ("realtime", "sent"), ("email", "captured"), ("sms", "captured"))
    assert await has_turns(working.sql, made) == 0
    assert (await recipient(sandbox, event))["turn"] is None


async def with_addresses(working: Working, project: Project, person: Person) -> None:
    await working.sql.execute(
        "UPDATE tocsin.users SET email = $2, phone = $3 WHERE id = $1",
        *(person.id, f"{person.external_id}@example.com", "+43660" + str(int(person.external_id, 16))[:7]),
    )


async def test_who_has_no_address_moves_on_at_once(working: Working, shop: Project, ann: Person) -> None:
    sandbox = shop.test_key
    await make_rule(shop, "email", "sms", "realtime", targetUsers=[ann.id], channelOrder=ORDER)
    made = await notified(sandbox, await send_event(sandbox))
    await are_told(sandbox, made, ("email", "suppressed"), ("sms", "suppressed"), ("realtime", "sent"))
    assert await has_turns(working.sql, made) == 0


async def test_a_channel_that_fails_passes_on_at_once(working: Working, shop: Project, ann: Person) -> None:
    """Live, and no connection sends mail or text messages: given up where none can be mended."""
    await with_addresses(working, shop, ann)
    await make_rule(shop, "sms", "realtime", targetUsers=[ann.id], channelOrder=ORDER)
    made = await notified(shop.key, await send_event(shop.key))

    async def tried() -> bool:
        return await channels(shop.key, made) in ([("sms", "failed"), ("realtime", "sent")], [("sms", "queued")])

    await until(tried)
    if await has_turns(working.sql, made):  # it waits for a connection; give it up as a day would
        await working.sql.execute(
            "UPDATE tocsin.deliveries SET created_at = now() - interval '2 days', due_at = now()"
            " WHERE notification_id = $1 AND channel = 'sms'",
            made["id"],
        )
        await are_told(shop.key, made, ("sms", "failed"), ("realtime", "sent"))


async def test_who_has_seen_it_is_left_alone_and_the_story_says_so(
    working: Working, shop: Project, ann: Person
) -> None:
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], channelOrder=ORDER)
    event = await send_event(shop.key)
    made = await notified(shop.key, event)
    await working.sql.execute(
        "UPDATE tocsin.notification_recipients SET seen_at ="
        " (SELECT sent_at + interval '12 s' FROM tocsin.deliveries WHERE notification_id = $1)"
        " WHERE notification_id = $1",
        made["id"],
    )
    told = await recipient(shop.key, event)
    assert (told["turn"], told["turnsEnded"]) == (None, "seen")
    await fall_due(working.sql, made)
    await over(working.sql, made)
    assert (await recipient(shop.key, event))["turnsEnded"] == "seen 12 s after it was sent by realtime"
    assert await channels(shop.key, made) == [("realtime", "sent")]


async def test_a_person_who_says_so_has_seen_it(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], channelOrder=ORDER)
    event = await send_event(shop.key)
    made = await notified(shop.key, event)
    assert (await ann.client.put(f"/notifications/{made['id']}/seen")).status == 200
    await fall_due(working.sql, made)
    await over(working.sql, made)
    assert (await recipient(shop.key, event))["turnsEnded"].endswith(" s after it was sent by realtime")


async def test_a_message_that_the_provider_reports_read_is_seen(working: Working, shop: Project, ann: Person) -> None:
    sandbox = shop.test_key
    await with_addresses(working, shop, ann)
    await make_rule(shop, "email", "realtime", targetUsers=[ann.id], channelOrder=ORDER)
    event = await send_event(sandbox)
    made = await notified(sandbox, event)
    await are_told(sandbox, made, ("email", "captured"))
    await working.sql.execute(
        "UPDATE tocsin.deliveries SET state = 'read', read_at = finished_at + interval '3 s'"
        " WHERE notification_id = $1",
        made["id"],
    )
    await fall_due(working.sql, made)
    await over(working.sql, made)
    assert (await recipient(sandbox, event))["turnsEnded"] == "seen 3 s after it was sent by email"


async def test_an_acknowledgement_by_anybody_ends_it(working: Working, shop: Project, ann: Person, bob: Person) -> None:
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id, bob.id], channelOrder=ORDER, requireAck=True)
    event = await send_event(shop.key)
    made = await notified(shop.key, event)
    assert (await bob.client.put(f"/notifications/{made['id']}/acknowledge")).status == 200
    await fall_due(working.sql, made, turns=2)
    await over(working.sql, made)
    [rule] = (await story(shop.key, event))["trace"]
    reasons = {each["userId"]: each["turnsEnded"] for each in rule["recipients"]}
    assert reasons[ann.id] == "acknowledged"
    assert reasons[bob.id].startswith("seen ")
    assert await channels(shop.key, made) == [("realtime", "sent")] * 2


async def test_what_waits_for_its_later_turn_is_cancelled_by_an_acknowledgement(
    working: Working, shop: Project, ann: Person
) -> None:
    await with_addresses(working, shop, ann)
    await make_rule(shop, "realtime", "sms", targetUsers=[ann.id], channelOrder=ORDER, requireAck=True)
    made = await notified(shop.key, await send_event(shop.key))
    await fall_due(working.sql, made)

    async def waits() -> bool:
        """As if its provider had asked for patience; a worker that tries it just now lets go of it first."""
        return bool(await working.sql.execute(_WAITS, made["id"]) == "UPDATE 1")

    await until(waits)
    assert (await ann.client.put(f"/notifications/{made['id']}/acknowledge")).status == 200
    await are_told(shop.key, made, ("realtime", "sent"), ("sms", "cancelled"))


_WAITS = """
UPDATE tocsin.deliveries SET state = 'queued', ready = false, due_at = now() + interval '1 hour', finished_at = NULL
WHERE notification_id = $1 AND channel = 'sms' AND state IN ('queued', 'failed')
"""


async def test_project_channels_are_told_at_once(working: Working, shop: Project, ann: Person) -> None:
    sandbox = shop.test_key
    await make_rule(shop, "realtime", "webhook", "email", targetUsers=[ann.id], channelOrder=ORDER)
    made = await notified(sandbox, await send_event(sandbox))
    assert sorted(channel for channel, _ in await channels(sandbox, made)) == ["realtime", "webhook"]


async def test_each_device_gets_one_and_only_when_all_have_failed_the_turn_passes(
    working: Working, shop: Project, ann: Person
) -> None:
    for number in range(2):
        await working.sql.execute(
            "INSERT INTO tocsin.addresses (project_id, env, id, user_id, channel, value, identity)"
            " VALUES ($1, 'live', $2, $3, 'fcm', $4, $4)",
            *(shop.id, new_id(), ann.id, f"token-{number}-{ann.id}"),
        )
    await make_rule(shop, "realtime", "push", "email", targetUsers=[ann.id], channelOrder=ORDER)
    made = await notified(shop.key, await send_event(shop.key))
    await working.sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", shop.id)
    first, second = await push_turn(working.sql, shop, made)
    pass_on = "SELECT tocsin.pass_turns($1, ARRAY[$2::uuid])"
    for delivery, due in ((first, False), (second, True)):
        await working.sql.execute(
            "UPDATE tocsin.deliveries SET state = 'failed', lease_token = NULL, lease_until = NULL WHERE id = $1",
            delivery,
        )
        await working.sql.execute(pass_on, shop.id, delivery)
        found = await working.sql.fetchval(
            "SELECT due_at <= now() FROM tocsin.channel_turns WHERE notification_id = $1", made["id"]
        )
        assert found is due


async def push_turn(sql: asyncpg.Connection, shop: Project, made: Any) -> list[UUID]:
    """The turn of push, taken by hand while the project rests; the deliveries to its devices."""
    [user] = [each["userId"] for each in made["recipients"]]
    async with sql.transaction():
        await sql.execute("UPDATE tocsin.channel_turns SET due_at = now() WHERE notification_id = $1", made["id"])
        await sql.execute(
            "SELECT tocsin.take_channel_turns($1, 'live', ARRAY[$2::uuid], ARRAY[$3::uuid])", shop.id, made["id"], user
        )
    rows = await sql.fetch(
        "SELECT id FROM tocsin.deliveries WHERE notification_id = $1 AND channel = 'push'", made["id"]
    )
    assert len(rows) == 2
    return [row["id"] for row in rows]


async def test_a_person_who_was_disabled_meanwhile_is_left_alone(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], channelOrder=ORDER)
    event = await send_event(shop.key)
    made = await notified(shop.key, event)
    await working.sql.execute("UPDATE tocsin.users SET status = 'disabled' WHERE id = $1", ann.id)
    await fall_due(working.sql, made)
    await over(working.sql, made)
    assert (await recipient(shop.key, event))["turnsEnded"] == "the person is not active"
    assert await channels(shop.key, made) == [("realtime", "sent")]


async def test_a_turn_waits_for_what_quiet_hours_hold_back(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], channelOrder=ORDER)
    made = await notified(shop.key, await send_event(shop.key))
    await working.sql.execute(
        "UPDATE tocsin.deliveries SET state = 'held', due_at = now() + interval '1 hour', last_error = $2"
        " WHERE notification_id = $1",
        *(made["id"], HELD),
    )
    await fall_due(working.sql, made)

    async def put_off() -> bool:
        return bool(
            await working.sql.fetchval(
                "SELECT due_at BETWEEN now() + interval '65 min' AND now() + interval '71 min'"
                " FROM tocsin.channel_turns WHERE notification_id = $1",
                made["id"],
            )
        )

    await until(put_off)
    assert await channels(shop.key, made) == [("realtime", "held")]


async def test_what_a_halted_project_owes_waits(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], channelOrder=ORDER)
    made = await notified(shop.key, await send_event(shop.key))
    await working.sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", shop.id)
    await fall_due(working.sql, made)

    async def put_off() -> bool:
        return bool(
            await working.sql.fetchval(
                "SELECT due_at > now() FROM tocsin.channel_turns WHERE notification_id = $1", made["id"]
            )
        )

    await until(put_off)
    assert await channels(shop.key, made) == [("realtime", "sent")]


async def test_an_escalation_step_begins_with_the_first_channel(
    working: Working, shop: Project, ann: Person, bob: Person
) -> None:
    sandbox = shop.test_key
    await with_addresses(working, shop, bob)
    steps = [{"afterSeconds": 60, "users": [bob.id]}]
    fields = {"requireAck": True, "escalation": steps, "channelOrder": ORDER}
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], **fields)
    made = await notified(sandbox, await send_event(sandbox))
    await working.sql.execute("DELETE FROM tocsin.channel_turns WHERE notification_id = $1", made["id"])
    await working.sql.execute(
        "UPDATE tocsin.insistences SET escalates_at = now(), due_at = now() WHERE notification_id = $1", made["id"]
    )
    await are_told(sandbox, made, ("realtime", "sent"), ("realtime", "sent"))
    await fall_due(working.sql, made)
    await are_told(sandbox, made, ("realtime", "sent"), ("realtime", "sent"), ("email", "captured"))


async def test_a_process_that_ends_before_its_commit_has_done_nothing(
    working: Working, shop: Project, ann: Person
) -> None:
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], channelOrder=ORDER)
    made = await notified(shop.key, await send_event(shop.key))
    doomed = await asyncpg.connect(working.site.app_url)
    await doomed.execute("BEGIN")
    await doomed.execute(
        "SELECT set_config('tocsin.project', $1, true), set_config('tocsin.env', 'live', true)", shop.id
    )
    await doomed.execute("UPDATE tocsin.channel_turns SET due_at = now() WHERE notification_id = $1", made["id"])
    [row] = await doomed.fetch(TAKE, [UUID(shop.id)], ["live"], [f"{{{made['id']}}}"], [f"{{{ann.id}}}"])
    assert row[1] == [UUID(made["id"])]
    doomed.terminate()
    assert await channels(shop.key, made) == [("realtime", "sent")]
    await fall_due(working.sql, made)

    async def taken() -> bool:
        return [channel for channel, _ in await channels(shop.key, made)] == ["realtime", "email"]

    await until(taken)
    assert await has_turns(working.sql, made) == 0


async def test_a_turn_is_in_one_hand_at_a_time(working: Working, shop: Project, ann: Person, bob: Person) -> None:
    """Eight at once find the same due; each person's next channel is told once."""
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id, bob.id], channelOrder=ORDER)
    events = await send_events(shop.key, *({"order": number} for number in range(20)))
    made = [(await notified(shop.key, event))["id"] for event in events]
    notifications = "{" + ",".join(id_ for id_ in made for _ in range(2)) + "}"
    people = "{" + ",".join([ann.id, bob.id] * len(made)) + "}"
    hands = [await asyncpg.connect(working.site.app_url) for _ in range(8)]
    await working.sql.execute("UPDATE tocsin.channel_turns SET due_at = now() WHERE project_id = $1", shop.id)
    await asyncio.gather(*[hand.fetch(TAKE, [UUID(shop.id)], ["live"], [notifications], [people]) for hand in hands])

    async def settled() -> bool:
        return not await working.sql.fetchval(
            "SELECT EXISTS (SELECT FROM tocsin.channel_turns WHERE project_id = $1)", shop.id
        )

    await until(settled)
    for hand in hands:
        await hand.close()
    rows = await working.sql.fetch(
        "SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1 AND channel = 'email'"
        " GROUP BY notification_id, user_id",
        shop.id,
    )
    assert [row["count"] for row in rows] == [1] * 40


async def test_another_project_neither_sees_nor_moves_it(
    working: Working, shop: Project, other: Project, ann: Person
) -> None:
    await make_rule(shop, "realtime", "email", targetUsers=[ann.id], channelOrder=ORDER)
    made = await notified(shop.key, await send_event(shop.key))
    stranger = await asyncpg.connect(working.site.app_url)
    await working.sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", shop.id)
    await fall_due(working.sql, made)
    rows = await stranger.fetch(TAKE, [UUID(other.id)], ["live"], [f"{{{made['id']}}}"], [f"{{{ann.id}}}"])
    await stranger.close()
    assert [row[1] for row in rows] == [[]]
    assert await channels(shop.key, made) == [("realtime", "sent")]
    assert await channels(other.key, made) == []


@pytest.mark.parametrize("named", [["realtime"], ["email", "webhook"]])
async def test_an_order_takes_two_channels_that_reach_people(shop: Project, named: list[str]) -> None:
    body = {"name": "One", "eventTypes": ["*"], "title": "x", "channels": named, "channelOrder": ORDER}
    reply = await shop.owner.post("/rules", body)
    assert (reply.status, reply.pointers) == (422, ["/channelOrder"]), reply.json


async def test_an_order_is_shown_changed_and_taken_away(shop: Project) -> None:
    made = await make_rule(shop, "realtime", "email", channelOrder=ORDER)
    assert made["channelOrder"] == ORDER
    changed = await shop.owner.put(f"/rules/{made['id']}", {"channelOrder": {"afterSeconds": 30}})
    assert (changed.status, changed.json["channelOrder"]) == (200, {"afterSeconds": 30})
    gone = await shop.owner.put(f"/rules/{made['id']}", {"channelOrder": None})
    assert (gone.status, gone.json["channelOrder"]) == (200, None)
