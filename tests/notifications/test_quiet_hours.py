"""In a person's quiet hours nothing disturbs them but what is critical; it waits, or comes without a sound (R4)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.client import Project, sign_up
from tests.mail.posted import Posted
from tests.notifications.silence import becomes, fall_due, hours, prefer, settled
from tests.people import join
from tests.pipeline import Working, deliveries_of, make_rule, notified, send_event, send_events, story, until
from tests.realtime.pusher_js import pusher_js
from tocsin.deliveries.clock import RELEASE


@pytest.fixture
async def shop(posted: Posted) -> Project:
    return await posted.sign_up("Shop")


@pytest.fixture
async def ann(shop: Project) -> Any:
    return await shop.add_user(name="Ann")


async def rule(project: Project, person: Any, **fields: Any) -> Any:
    return await make_rule(project, "realtime", "email", targetUsers=[person["id"]], **fields)


async def test_what_comes_is_held_until_they_end_and_stands_in_the_feed_at_once(shop: Project, ann: Any) -> None:
    quiet = hours(-1, 2)
    await prefer(shop.key, ann["id"], quietHours=quiet)
    await rule(shop, ann)
    event_id = await send_event(shop.key)
    held = await settled(shop, event_id)
    assert (held["state"], held["lastError"]) == ("held", f"quiet hours until {quiet['to']} UTC")
    assert held["dueAt"][11:16] == quiet["to"]
    live = await settled(shop, event_id, "realtime")
    assert (live["state"], live["lastError"]) == ("sent", f"silently: quiet hours until {quiet['to']} UTC")
    [told] = (await story(shop.key, event_id))["trace"]
    assert {each["state"]: each["dueAt"] for each in told["deliveries"]} == {"held": held["dueAt"], "sent": None}
    assert [each["id"] for each in (await shop.key.get("/deliveries", state="held")).json["items"]] == [held["id"]]
    feed = (await shop.key.get("/notifications", userId=ann["id"])).json["items"]
    assert [each["eventId"] for each in feed] == [event_id]


async def test_what_is_critical_comes_at_any_hour(shop: Project, ann: Any) -> None:
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2))
    await rule(shop, ann, priority="critical")
    event_id = await send_event(shop.key)
    assert (await settled(shop, event_id))["state"] == "sent"
    assert (await settled(shop, event_id, "realtime"))["lastError"] is None


async def test_outside_of_them_everything_comes(shop: Project, ann: Any) -> None:
    await prefer(shop.key, ann["id"], quietHours=hours(1, 2))
    await rule(shop, ann)
    event_id = await send_event(shop.key)
    assert (await settled(shop, event_id))["state"] == "sent"
    assert (await settled(shop, event_id, "realtime"))["lastError"] is None


async def test_they_may_be_for_some_channels_and_a_topic_may_come_nevertheless(shop: Project, ann: Any) -> None:
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2, channels=["sms"]))
    await rule(shop, ann, topic="orders")
    assert (await settled(shop, await send_event(shop.key)))["state"] == "sent"
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2))
    assert (await settled(shop, await send_event(shop.key)))["state"] == "held"
    await prefer(shop.key, ann["id"], topics={"orders": {"ignoreQuietHours": True}})
    assert (await settled(shop, await send_event(shop.key)))["state"] == "sent"


async def test_the_clock_is_that_of_the_persons_timezone(shop: Project) -> None:
    zone = "Asia/Kolkata"
    there = await shop.add_user(timezone=zone)
    here = await shop.add_user()
    for person in (there, here):
        await prefer(shop.key, person["id"], quietHours=hours(-1, 1, zone))
        await rule(shop, person, eventTypes=[f"for.{person['id']}"])
    held = await settled(shop, await send_event(shop.key, f"for.{there['id']}"))
    assert held["lastError"] == f"quiet hours until {hours(-1, 1, zone)['to']} {zone}"
    assert (await settled(shop, await send_event(shop.key, f"for.{here['id']}")))["state"] == "sent"


async def test_the_projects_hours_are_for_whoever_has_said_nothing_else(shop: Project, ann: Any) -> None:
    bob = await shop.add_user()
    reply = await shop.owner.put("/projects/me/settings", {"quietHours": hours(-1, 2)})
    assert reply.status == 200, reply.json
    await prefer(shop.key, bob["id"], quietHours=None)
    for person in (ann, bob):
        await rule(shop, person, eventTypes=[f"for.{person['id']}"])
    assert (await settled(shop, await send_event(shop.key, f"for.{ann['id']}")))["state"] == "held"
    assert (await settled(shop, await send_event(shop.key, f"for.{bob['id']}")))["state"] == "sent"


async def test_when_they_end_it_is_sent(posted: Posted, shop: Project, ann: Any) -> None:
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2))
    await rule(shop, ann)
    held = await settled(shop, await send_event(shop.key, order=11))
    await prefer(shop.key, ann["id"], quietHours=hours(1, 2))
    await fall_due(posted.sql, held)
    sent = await becomes(shop, held, "sent")
    assert (sent["lastError"], sent["dueAt"]) == (None, None)
    assert (await posted.boxes.next(ann["email"], "Order 11"))["Subject"] == "Order 11"


async def test_what_is_released_is_judged_by_what_is_wished_then(posted: Posted, shop: Project, ann: Any) -> None:
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2))
    await rule(shop, ann, topic="orders")
    held = await settled(shop, await send_event(shop.key))
    later = hours(-1, 5)
    await prefer(shop.key, ann["id"], quietHours=later)
    await fall_due(posted.sql, held)

    async def held_longer() -> bool:
        now = (await shop.key.get(f"/deliveries/{held['id']}")).json
        return bool(now["state"] == "held" and now["dueAt"][11:16] == later["to"])

    await until(held_longer)
    await prefer(shop.key, ann["id"], topics={"orders": {"muted": True}})
    await fall_due(posted.sql, held)
    assert (await becomes(shop, held, "dropped"))["lastError"] == "preferences: the topic orders is muted"


async def test_who_has_read_it_meanwhile_is_told_nothing_more(posted: Posted, shop: Project) -> None:
    person = await join(posted.api, shop)
    reply = await shop.key.put(f"/users/{person.id}", {"email": f"{person.external_id}@shop.example"})
    assert reply.status == 200, reply.json
    await prefer(person.client, person.id, quietHours=hours(-1, 2))
    await make_rule(shop, "email", targetUsers=[person.id])
    event_id = await send_event(shop.key)
    held = await settled(shop, event_id)
    assert (await person.client.put(f"/notifications/{held['notificationId']}/acknowledge")).status == 200
    await fall_due(posted.sql, held)
    assert (await becomes(shop, held, "cancelled"))["lastError"] == "read meanwhile"


async def test_by_hand_it_is_sent_now(shop: Project, ann: Any) -> None:
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2))
    await rule(shop, ann)
    held = await settled(shop, await send_event(shop.key))
    assert (await shop.key.post(f"/deliveries/{held['id']}/retry")).status == 200
    await becomes(shop, held, "sent")


async def test_a_repeat_waits_and_only_one_does_and_an_acknowledgement_ends_it(
    posted: Posted, shop: Project, ann: Any
) -> None:
    await rule(shop, ann, requireAck=True, repeat={"everySeconds": 60, "maxTimes": 5})
    event_id = await send_event(shop.key)
    made = await notified(shop.key, event_id)
    await settled(shop, event_id)
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2))
    for live in (2, 3):
        await posted.sql.execute(
            "UPDATE tocsin.insistences SET repeats_at = now(), due_at = now() WHERE notification_id = $1", made["id"]
        )

        async def repeated(live: int = live) -> bool:
            return len(await deliveries_of(shop.key, event_id, "realtime")) == live

        await until(repeated)
    states = sorted(each["state"] for each in await deliveries_of(shop.key, event_id, "email"))
    assert states == ["held", "sent"]
    assert (await shop.key.put(f"/notifications/{made['id']}/acknowledge")).status == 200
    states = sorted(each["state"] for each in await deliveries_of(shop.key, event_id, "email"))
    assert states == ["cancelled", "sent"]


async def test_they_hold_nothing_in_another_project(posted: Posted, shop: Project, ann: Any) -> None:
    mill = await posted.sign_up("Mill")
    ann_there = await mill.add_user(email=ann["email"])
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2))
    await rule(shop, ann)
    await rule(mill, ann_there)
    held = await settled(shop, await send_event(shop.key))
    assert (await settled(mill, await send_event(mill.key)))["state"] == "sent"
    assert (await mill.key.get(f"/deliveries/{held['id']}")).status == 404
    assert (await mill.key.get("/deliveries", state="held")).json["items"] == []
    assert (await mill.key.get(f"/users/{ann['id']}/preferences")).status == 404


async def test_who_ends_before_the_commit_has_released_nothing_and_each_is_released_once(
    posted: Posted, shop: Project, ann: Any
) -> None:
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2))
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    events = await send_events(shop.key, *({"order": 100 + number} for number in range(20)))
    held = [await settled(shop, event) for event in events]
    await prefer(shop.key, ann["id"], quietHours=None)
    ids = "{" + ",".join(each["id"] for each in held) + "}"
    hands = [await asyncpg.connect(posted.site.app_url) for _ in range(6)]
    transaction = hands[0].transaction()
    await transaction.start()
    await posted.sql.execute(
        "UPDATE tocsin.projects SET status = 'suspended', suspended_at = now() WHERE id = $1", shop.id
    )
    await fall_due(posted.sql, *held[:10])
    await hands[0].fetch(RELEASE, [shop.id], ["live"], [ids])
    await transaction.rollback()
    await asyncio.gather(*[hand.fetch(RELEASE, [shop.id], ["live"], [ids]) for hand in hands])
    for hand in hands:
        await hand.close()
    rows = await posted.sql.fetch(
        "SELECT state, count(*) FROM tocsin.deliveries WHERE project_id = $1 GROUP BY state", shop.id
    )
    assert dict(rows) == {"held": 10, "queued": 10}, "a halted project's wait in the queue"
    await posted.sql.execute("UPDATE tocsin.projects SET status = 'active', suspended_at = NULL WHERE id = $1", shop.id)
    for each in held[:10]:
        sent = await becomes(shop, each, "sent")
        assert len(sent["attempts"]) == 1


async def test_sockets_are_told_without_a_sound(working: Working) -> None:
    shop = await sign_up(working.api, "Shop")
    ann, bob = await join(working.api, shop), await join(working.api, shop, name="Bob")
    await prefer(ann.client, ann.id, quietHours=hours(-1, 2))
    await make_rule(shop, "realtime", targetUsers=[ann.id, bob.id], sound="bell")
    async with pusher_js(working.process) as js:
        for name, person in (("ann", ann), ("bob", bob)):
            await person.connect(js, name)
            await js.subscribe(name, person.channel)
        await send_event(shop.key)
        told = [(await js.fact(client=name, event="notification.created"))["data"] for name in ("ann", "bob")]
    for person, silent in ((ann, True), (bob, False)):
        [item] = (await person.client.get("/notifications")).json["items"]
        assert item["silent"] is silent
    assert [(each["silent"], each["sound"]) for each in told] == [(True, None), (False, "bell")]


async def test_ten_thousand_are_released_in_bounded_steps(posted: Posted, shop: Project, ann: Any) -> None:
    """All at once, as at seven in the morning."""
    await prefer(shop.key, ann["id"], quietHours=hours(-1, 2))
    await make_rule(shop, "email", targetUsers=[ann["id"]])
    [held] = [await settled(shop, await send_event(shop.key))]
    await posted.sql.execute(
        "INSERT INTO tocsin.deliveries (project_id, env, id, notification_id, channel, user_id, rank, state, due_at)"
        " SELECT project_id, env, tocsin.new_id(), notification_id, channel, user_id, rank, 'held', now()"
        " FROM tocsin.deliveries, generate_series(1, 10000) WHERE id = $1",
        held["id"],
    )
    began = datetime.now(UTC)

    async def all_held_on() -> bool:
        return not await posted.sql.fetchval(
            "SELECT EXISTS (SELECT FROM tocsin.deliveries WHERE project_id = $1 AND state = 'held'"
            " AND due_at <= now())",
            shop.id,
        )

    await until(all_held_on, 60)
    assert datetime.now(UTC) - began < timedelta(seconds=60)
    held_on = await posted.sql.fetchval(
        "SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1 AND state = 'held'", shop.id
    )
    assert held_on == 10_001, "their hours are not over, so they wait on"
