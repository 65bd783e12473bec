"""What nobody has acknowledged comes again and reaches further people; an acknowledgement ends it everywhere (R3)."""

import asyncio
from typing import Any

import asyncpg

from tests.channels.far_end import FarEnd, answering
from tests.client import Project
from tests.connections.build import make_hook
from tests.people import Person
from tests.pipeline import Working, make_rule, notified, send_event, send_events, until
from tests.realtime.pusher_js import pusher_js
from tocsin.kit.ids import new_id
from tocsin.notifications.insist import INSIST

REPEAT = {"everySeconds": 60, "maxTimes": 3}


async def fall_due(sql: asyncpg.Connection, notification: Any, what: str) -> None:
    """Let the time pass until the next repeat or step."""
    done = await sql.execute(
        f"UPDATE tocsin.insistences SET {what} = now(), due_at = now() WHERE notification_id = $1", notification["id"]
    )
    assert done == "UPDATE 1", "it does not insist"


async def insists(sql: asyncpg.Connection, notification: Any) -> bool:
    return bool(
        await sql.fetchval(
            "SELECT EXISTS (SELECT FROM tocsin.insistences WHERE notification_id = $1)", notification["id"]
        )
    )


async def deliveries(project: Project, notification: Any) -> list[Any]:
    reply = await project.key.get("/deliveries", notificationId=notification["id"], limit=200)
    assert reply.status == 200, reply.json
    return list(reply.json["items"])


async def so_many(project: Project, notification: Any, count: int, state: str) -> list[Any]:
    async def look() -> list[Any]:
        found = [each for each in await deliveries(project, notification) if each["state"] == state]
        assert len(found) <= count, found
        return found if len(found) == count else []

    return await until(look)


async def acknowledge(project: Project, notification: Any) -> None:
    reply = await project.key.put(f"/notifications/{notification['id']}/acknowledge")
    assert reply.status == 200, reply.json


async def test_it_comes_again_as_often_as_the_rule_says_and_no_more(working: Working, shop: Project) -> None:
    async with answering() as far:
        await make_hook(shop.key, far.url)
        await make_rule(shop, "webhook", targetRoles=["owner"], requireAck=True, repeat=REPEAT)
        made = await notified(shop.key, await send_event(shop.key))
        for times in range(1, 4):
            await so_many(shop, made, times, "delivered")
            await fall_due(working.sql, made, "repeats_at")
        await so_many(shop, made, 4, "delivered")
        assert not await insists(working.sql, made)
        assert told(far) == ["notification.created", *["notification.repeated"] * 3]


def told(far: FarEnd) -> list[str]:
    return [each.json["event"] for each in far.asked if each.json["event"].startswith("notification.")]


async def test_the_next_time_keeps_the_rhythm_of_the_rule(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True, repeat=REPEAT)
    made = await notified(shop.key, await send_event(shop.key))
    first = await working.sql.fetchval(
        "UPDATE tocsin.insistences SET repeats_at = now() - interval '250 seconds', due_at = now()"
        " WHERE notification_id = $1 RETURNING repeats_at",
        made["id"],
    )
    await so_many(shop, made, 2, "sent")
    times, following = await working.sql.fetchrow(
        "SELECT times, repeats_at FROM tocsin.insistences WHERE notification_id = $1", made["id"]
    )
    assert (times, (following - first).total_seconds()) == (1, 300), "after a pause it goes on with one, not five"


async def test_a_step_reaches_further_people_with_the_reason(
    working: Working, shop: Project, ann: Person, bob: Person
) -> None:
    steps = [{"afterSeconds": 60, "users": [bob.id]}, {"afterSeconds": 120, "roles": ["owner"]}]
    await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True, escalation=steps)
    made = await notified(shop.key, await send_event(shop.key))
    assert recipients(made) == {ann.id: "named in the rule"}
    await fall_due(working.sql, made, "escalates_at")
    await so_many(shop, made, 2, "sent")
    now = (await shop.key.get(f"/notifications/{made['id']}")).json
    assert recipients(now) == {ann.id: "named in the rule", bob.id: "escalation, step 1"}
    await fall_due(working.sql, made, "escalates_at")
    await so_many(shop, made, 3, "sent")
    now = (await shop.key.get(f"/notifications/{made['id']}")).json
    assert recipients(now)[shop.signed_up["user"]["id"]] == "escalation, step 2"
    assert not await insists(working.sql, made)
    feed = await bob.client.get("/notifications")
    assert [each["id"] for each in feed.json["items"]] == [made["id"]]


def recipients(notification: Any) -> dict[str, str]:
    return {each["userId"]: each["reason"] for each in notification["recipients"]}


async def test_the_steps_are_gone_through_as_often_as_the_rule_says(
    working: Working, shop: Project, ann: Person, bob: Person
) -> None:
    steps = [{"afterSeconds": 60, "users": [bob.id]}]
    fields = {"requireAck": True, "escalation": steps, "escalationLoops": 2}
    await make_rule(shop, "realtime", targetUsers=[ann.id], **fields)
    made = await notified(shop.key, await send_event(shop.key))
    for count in (2, 3):
        await fall_due(working.sql, made, "escalates_at")
        await so_many(shop, made, count, "sent")
    assert not await insists(working.sql, made)
    now = (await shop.key.get(f"/notifications/{made['id']}")).json
    assert len(now["recipients"]) == 2


async def test_who_came_by_a_step_is_repeated_to_as_well(
    working: Working, shop: Project, ann: Person, bob: Person
) -> None:
    steps = [{"afterSeconds": 60, "users": [bob.id]}]
    await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True, repeat=REPEAT, escalation=steps)
    made = await notified(shop.key, await send_event(shop.key))
    await fall_due(working.sql, made, "escalates_at")
    await so_many(shop, made, 2, "sent")
    await fall_due(working.sql, made, "repeats_at")
    again = await so_many(shop, made, 4, "sent")
    assert sorted(each["userId"] for each in again) == sorted([ann.id, bob.id] * 2)


async def test_an_acknowledgement_ends_it(working: Working, shop: Project, ann: Person, bob: Person) -> None:
    steps = [{"afterSeconds": 60, "users": [bob.id]}]
    await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True, repeat=REPEAT, escalation=steps)
    made = await notified(shop.key, await send_event(shop.key))
    assert await insists(working.sql, made)
    reply = await ann.client.put(f"/notifications/{made['id']}/acknowledge")
    assert reply.status == 200
    assert not await insists(working.sql, made)


async def test_a_repeat_that_waits_is_cancelled_by_an_acknowledgement(working: Working, shop: Project) -> None:
    async with answering() as far:
        await make_hook(shop.key, far.url)
        await make_rule(shop, "webhook", targetRoles=["owner"], requireAck=True, repeat=REPEAT)
        made = await notified(shop.key, await send_event(shop.key))
        await so_many(shop, made, 1, "delivered")
        far.status = 500
        await fall_due(working.sql, made, "repeats_at")
        [waiting] = await so_many(shop, made, 1, "queued")
        await acknowledge(shop, made)
        [cancelled] = await so_many(shop, made, 1, "cancelled")
        assert (cancelled["id"], cancelled["lastError"]) == (waiting["id"], "acknowledged")


async def test_what_was_first_told_goes_on_after_an_acknowledgement(working: Working, shop: Project) -> None:
    async with answering() as far:
        far.status = 500
        await make_hook(shop.key, far.url)
        await make_rule(shop, "webhook", targetRoles=["owner"], requireAck=True, repeat=REPEAT)
        made = await notified(shop.key, await send_event(shop.key))
        await so_many(shop, made, 1, "queued")
        await acknowledge(shop, made)
        far.status = 200
        await so_many(shop, made, 1, "delivered")


async def test_a_repeat_that_is_being_sent_is_not_begun_after_an_acknowledgement(
    working: Working, shop: Project
) -> None:
    """It was claimed a moment before, so the acknowledgement did not find it waiting."""
    await make_hook(shop.key)
    await make_rule(shop, "webhook", targetRoles=["owner"], requireAck=True, repeat=REPEAT, active=True)
    made = await notified(shop.key, await send_event(shop.key))
    await acknowledge(shop, made)
    await working.sql.execute(
        "INSERT INTO tocsin.deliveries (project_id, env, id, notification_id, channel, rank, round)"
        " VALUES ($1, 'live', $2, $3, 'webhook', 2, 1)",
        *(shop.id, new_id(), made["id"]),
    )
    [cancelled] = await so_many(shop, made, 1, "cancelled")
    assert (cancelled["lastError"], cancelled["attempts"]) == ("acknowledged", [])


async def test_a_repeat_that_fails_for_now_after_an_acknowledgement_waits_no_more(
    working: Working, shop: Project
) -> None:
    """It was under way, so the acknowledgement did not find it waiting. A repeat of something else goes on."""
    async with answering() as far:
        await make_hook(shop.key, far.url)
        await make_rule(shop, "webhook", targetRoles=["owner"], requireAck=True, repeat=REPEAT)
        made, other = [await notified(shop.key, await send_event(shop.key)) for _ in range(2)]
        for each in (made, other):
            await so_many(shop, each, 1, "delivered")
        far.status, far.headers, far.meanwhile = 503, {"Retry-After": "900"}, lambda: acknowledge(shop, made)
        await fall_due(working.sql, made, "repeats_at")
        [cancelled] = await so_many(shop, made, 1, "cancelled")
        assert cancelled["lastError"] == "acknowledged"
        assert [each["outcome"] for each in cancelled["attempts"]] == ["temporary"]
        far.meanwhile = None
        await fall_due(working.sql, other, "repeats_at")
        await so_many(shop, other, 1, "queued")


async def test_a_place_whose_last_message_still_waits_is_not_told_again(working: Working, shop: Project) -> None:
    async with answering() as far:
        far.status = 500
        await make_hook(shop.key, far.url)
        await make_rule(shop, "webhook", "realtime", targetRoles=["owner"], requireAck=True, repeat=REPEAT)
        made = await notified(shop.key, await send_event(shop.key))
        await so_many(shop, made, 1, "queued")
        await fall_due(working.sql, made, "repeats_at")
        await so_many(shop, made, 2, "sent")
        assert [each["channel"] for each in await deliveries(shop, made)].count("webhook") == 1


async def test_sockets_hear_it_again_and_who_comes_by_a_step_hears_it_for_the_first_time(
    working: Working, shop: Project, ann: Person, bob: Person
) -> None:
    async with pusher_js(working.process) as js:
        for name, person in (("ann", ann), ("bob", bob)):
            await person.connect(js, name)
            await js.subscribe(name, person.channel)
        steps = [{"afterSeconds": 60, "users": [bob.id]}]
        await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True, escalation=steps, repeat=REPEAT)
        made = await notified(shop.key, await send_event(shop.key))
        assert (await js.fact(client="ann", event="notification.created"))["data"]["id"] == made["id"]
        await fall_due(working.sql, made, "escalates_at")
        assert (await js.fact(client="bob", event="notification.created"))["data"]["id"] == made["id"]
        await fall_due(working.sql, made, "repeats_at")
        assert (await js.fact(client="bob", event="notification.repeated"))["data"]["id"] == made["id"]


async def test_what_a_halted_project_owes_waits_until_it_goes_on(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True, repeat=REPEAT)
    made = await notified(shop.key, await send_event(shop.key))
    await working.sql.execute("UPDATE tocsin.projects SET status = 'suspended' WHERE id = $1", shop.id)
    await fall_due(working.sql, made, "repeats_at")

    async def put_off() -> bool:
        return bool(
            await working.sql.fetchval(
                "SELECT due_at > now() FROM tocsin.insistences WHERE notification_id = $1", made["id"]
            )
        )

    await until(put_off)
    await working.sql.execute("UPDATE tocsin.projects SET status = 'active' WHERE id = $1", shop.id)
    await working.sql.execute("UPDATE tocsin.insistences SET due_at = now() WHERE notification_id = $1", made["id"])
    await so_many(shop, made, 2, "sent")


async def test_another_project_neither_sees_nor_ends_it(
    working: Working, shop: Project, other: Project, ann: Person
) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True, repeat=REPEAT)
    made = await notified(shop.key, await send_event(shop.key))
    assert (await other.key.put(f"/notifications/{made['id']}/acknowledge")).status == 404
    assert await insists(working.sql, made)
    await fall_due(working.sql, made, "repeats_at")
    await so_many(shop, made, 2, "sent")
    assert (await other.key.get("/deliveries")).json["items"] == []


async def test_an_answer_says_how_it_goes_on(working: Working, shop: Project, ann: Person) -> None:
    steps = [{"afterSeconds": 600, "roles": ["owner"]}]
    await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True, repeat=REPEAT, escalation=steps)
    made = await notified(shop.key, await send_event(shop.key))
    told = made["insistence"]
    assert (told["repeated"], told["stepsTaken"]) == (0, 0)
    assert made["createdAt"] < told["repeatsAt"] < told["escalatesAt"]
    await acknowledge(shop, made)
    assert (await shop.key.get(f"/notifications/{made['id']}")).json["insistence"] is None


async def test_what_insists_is_in_one_hand_at_a_time(working: Working, shop: Project, ann: Person) -> None:
    """Eight at once find the same due; each comes again once."""
    await make_rule(
        shop, "realtime", targetUsers=[ann.id], requireAck=True, repeat={"everySeconds": 3600, "maxTimes": 9}
    )
    events = await send_events(shop.key, *({"order": number} for number in range(40)))
    made = [await notified(shop.key, event) for event in events]
    hands = [await asyncpg.connect(working.site.app_url) for _ in range(8)]
    ids = "{" + ",".join(each["id"] for each in made) + "}"
    await working.sql.execute(
        "UPDATE tocsin.insistences SET repeats_at = now(), due_at = now() WHERE project_id = $1", shop.id
    )
    await asyncio.gather(*[hand.fetch(INSIST, [shop.id], ["live"], [ids]) for hand in hands])

    async def settled() -> bool:
        return not await working.sql.fetchval(
            "SELECT EXISTS (SELECT FROM tocsin.insistences WHERE project_id = $1 AND due_at <= now())", shop.id
        )

    await until(settled)
    for hand in hands:
        await hand.close()
    rows = await working.sql.fetch(
        "SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1 AND round = 1 GROUP BY notification_id", shop.id
    )
    assert [row["count"] for row in rows] == [1] * 40


async def test_one_that_cannot_be_acted_upon_holds_up_no_other(working: Working, shop: Project, ann: Person) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann.id], requireAck=True, repeat=REPEAT)
    events = await send_events(shop.key, {"order": 1}, {"order": 2})
    bad, good = [await notified(shop.key, event) for event in events]
    await working.sql.execute(
        "UPDATE tocsin.insistences SET repeats_at = now(), due_at = now(), escalates_at ="
        " CASE WHEN notification_id = $2 THEN now() END, steps ="
        ' CASE WHEN notification_id = $2 THEN \'[{"roles": ["no id"], "users": []}]\'::json ELSE steps END'
        " WHERE project_id = $1",
        *(shop.id, bad["id"]),
    )
    await so_many(shop, good, 2, "sent")
    assert len(await deliveries(shop, bad)) == 1
    await working.sql.execute("DELETE FROM tocsin.insistences WHERE notification_id = $1", bad["id"])
