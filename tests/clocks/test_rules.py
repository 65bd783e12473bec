"""Rules with a clock: what can be saved, what they tell, of which project and to whom (R6)."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.client import Project
from tests.clocks.conftest import yesterday
from tests.people import join
from tests.pipeline import Working, make_rule, notified, send_event, story, until

DAILY = {"time": "08:00"}


async def make_clock(project: Project, *channels: str, clock: Any = None, **fields: Any) -> Any:
    body = {"eventTypes": [], "clock": clock or DAILY, "title": "Summary", "targetRoles": ["owner"], **fields}
    return await make_rule(project, *channels, **body)


async def runs(project: Project, rule: Any, count: int = 1) -> list[Any]:
    """The events of a rule's clock, once there are so many of them."""

    async def look() -> list[Any]:
        reply = await project.key.get("/events", type="tocsin.clock", limit=200)
        found = [each for each in reply.json["items"] if each["payload"]["ruleId"] == rule["id"]]
        assert len(found) <= count, found
        return found if len(found) == count else []

    return await until(look)


async def test_a_rule_has_event_types_or_a_clock(shop: Project) -> None:
    neither = await shop.key.post("/rules", {"name": "Neither", "title": "Hello"})
    both = await shop.key.post("/rules", {"name": "Both", "title": "Hello", "eventTypes": ["*"], "clock": DAILY})
    assert [(each.status, each.json["errors"][0]["pointer"]) for each in (neither, both)] == [
        (422, "/eventTypes"),
        (422, "/clock"),
    ]


@pytest.mark.parametrize(
    ("clock", "pointer"),
    [
        ({}, "/clock"),
        ({"time": "08:00", "cron": "0 8 * * *"}, "/clock"),
        ({"time": "24:00"}, "/clock/time"),
        ({"time": "08:00", "days": []}, "/clock/days"),
        ({"time": "08:00", "days": ["mon", "mon"]}, "/clock/days"),
        ({"cron": "* * * * *"}, "/clock/cron"),
        ({"cron": "0 0 31 2 *"}, "/clock/cron"),
        ({"cron": "0 8 * * *", "days": ["mon"]}, "/clock"),
        ({"time": "08:00", "timezone": "Europe/Atlantis"}, "/clock/timezone"),
        ({"time": "08:00", "dailySummary": True}, "/clock"),
    ],
)
async def test_a_clock_that_cannot_be_is_refused_with_its_place(shop: Project, clock: Any, pointer: str) -> None:
    reply = await shop.key.post("/rules", {"name": "Clock", "title": "Hello", "clock": clock})
    assert (reply.status, [each["pointer"] for each in reply.json["errors"]]) == (422, [pointer])


async def test_a_clock_of_recipients_tells_people_alone(shop: Project) -> None:
    body = {"name": "Clock", "title": "Hello", "clock": {**DAILY, "timezone": "recipient"}, "targetRoles": ["owner"]}
    place = await shop.key.post("/rules", {**body, "targetDestinations": ["orders"]})
    channel = await shop.key.post("/rules", {**body, "channels": ["realtime", "webhook"]})
    assert [each.json["errors"][0]["pointer"] for each in (place, channel)] == ["/targetDestinations", "/channels/1"]


async def test_a_rule_is_answered_with_its_clock(shop: Project) -> None:
    clock = {"time": "07:30", "days": ["mon", "fri"], "timezone": "Europe/Vienna"}
    rule = await make_clock(shop, clock=clock)
    assert rule["clock"] == {**clock, "cron": None, "dailySummary": False}
    assert rule["eventTypes"] == []


async def test_it_tells_the_counts_of_the_period(working: Working, shop: Project, other: Project) -> None:
    await make_rule(shop, "realtime", eventTypes=["order.*"], targetRoles=["owner"])
    rule = await make_clock(
        shop,
        "realtime",
        clock={"cron": "*/5 * * * *"},
        condition="payload.counts.events.total == 3 && payload.counts.notifications.made >= 2",
        title="{{ payload.counts.events.byType['order.created'] }} orders in {{ payload.timezone }}",
    )
    for project, type_ in ((shop, "order.created"), (shop, "order.created"), (shop, "user.login"), (other, "order.x")):
        await story(project.key, await send_event(project.key, type_))
    # The event's id is a moment old, the period ends with the last five minutes: let those be over.
    await working.sql.execute(
        "UPDATE tocsin.clocks SET last_at = now() - interval '1 hour' WHERE rule_id = $1", rule["id"]
    )
    async with working.sql.transaction():
        await working.sql.execute("SET LOCAL session_replication_role = replica")
        await shift(working.sql, shop, "10 minutes")
    await working.sql.execute("UPDATE tocsin.clocks SET next_at = now() WHERE rule_id = $1", rule["id"])
    [run] = await runs(shop, rule)
    told = await notified(shop.key, run["id"])
    assert told["title"] == "2 orders in UTC"
    counts = run["payload"]["counts"]
    assert counts["events"] == {"total": 3, "byType": {"order.created": 2, "user.login": 1}}
    assert counts["notifications"] == {"made": 2, "acknowledged": 0}
    assert counts["deliveries"] == {"delivered": 2, "failed": 0, "waiting": 0}
    assert counts["complete"] is True


async def shift(sql: asyncpg.Connection, project: Project, back: str) -> None:
    """Let what a project has so far have come earlier: ids begin with their time."""
    for table in ("events", "notifications", "deliveries"):
        rows = await sql.fetch(f"SELECT id FROM tocsin.{table} WHERE project_id = $1", project.id)
        for row in rows:
            await sql.execute(
                f"UPDATE tocsin.{table} SET id = (substr(tocsin.first_id_at(now() - $3::text::interval)::text, 1, 13)"
                " || substr(id::text, 14))::uuid WHERE project_id = $1 AND id = $2",
                *(project.id, row["id"], back),
            )


async def test_its_event_meets_that_rule_alone(working: Working, shop: Project) -> None:
    await make_rule(shop, "realtime", eventTypes=["*"], targetRoles=["owner"], title="Everything")
    await make_rule(shop, "realtime", eventTypes=["tocsin.*"], targetRoles=["owner"], title="Own")
    rule = await make_clock(shop, "realtime")
    await make_clock(shop, "realtime", title="Another clock")
    await yesterday(working.sql, rule["id"])
    [run] = await runs(shop, rule)
    told = await story(shop.key, run["id"])
    assert [each["ruleId"] for each in told["trace"]] == [rule["id"]]
    assert (await notified(shop.key, run["id"]))["title"] == "Summary"


async def test_a_client_cannot_play_the_clock(working: Working, shop: Project) -> None:
    rule = await make_clock(shop, "realtime")
    event = await send_event(shop.key, "tocsin.clock", ruleId=rule["id"], timezone="UTC", audience="everybody")
    told = await story(shop.key, event)
    assert told["outcome"] == "no_rule"


async def test_after_an_outage_it_runs_once_for_the_whole_time(working: Working, shop: Project) -> None:
    rule = await make_clock(shop, "realtime")
    await yesterday(working.sql, rule["id"], days=5)
    [run] = await runs(shop, rule)
    days = await working.sql.fetchval(
        "SELECT extract(day FROM $1::text::timestamptz - $2::text::timestamptz)",
        *(run["payload"]["period"]["end"], run["payload"]["period"]["start"]),
    )
    assert days == 5
    following = await working.sql.fetchval("SELECT next_at FROM tocsin.clocks WHERE rule_id = $1", rule["id"])
    assert following > await working.sql.fetchval("SELECT now()")


async def test_a_run_is_made_once_whoever_looks_how_often(working: Working, shop: Project) -> None:
    """Like processes that died after their event was stored: the clock is due again, the run is known."""
    rule = await make_clock(shop, "realtime")
    for _ in range(3):
        await yesterday(working.sql, rule["id"])

        async def looked_at() -> bool:
            due = await working.sql.fetchval(
                "SELECT next_at <= now() FROM tocsin.clocks WHERE rule_id = $1", rule["id"]
            )
            return not due

        await until(looked_at)
    await runs(shop, rule)


async def test_a_change_of_the_clock_does_not_run_it_at_once(working: Working, shop: Project) -> None:
    rule = await make_clock(shop, "realtime")
    before = await clock_row(working.sql, rule)
    await change(shop, rule, title="Renamed")
    assert await clock_row(working.sql, rule) == before
    await change(shop, rule, clock={"time": "09:00"})
    changed = await clock_row(working.sql, rule)
    assert changed["last_at"] > before["last_at"] and changed["next_at"] > changed["last_at"]


async def change(project: Project, rule: Any, **fields: Any) -> Any:
    reply = await project.key.put(f"/rules/{rule['id']}", fields)
    assert reply.status == 200, reply.json
    return reply.json


async def clock_row(sql: asyncpg.Connection, rule: Any) -> Any:
    return await sql.fetchrow("SELECT * FROM tocsin.clocks WHERE rule_id = $1", rule["id"])


async def test_a_rule_that_is_off_or_gone_has_no_clock(working: Working, shop: Project) -> None:
    rule = await make_clock(shop, "realtime")
    await change(shop, rule, active=False)
    assert await clock_row(working.sql, rule) is None
    await change(shop, rule, active=True)
    assert await clock_row(working.sql, rule) is not None
    await change(shop, rule, clock=None, eventTypes=["order.created"])
    assert await clock_row(working.sql, rule) is None
    another = await make_clock(shop, "realtime")
    await shop.key.delete(f"/rules/{another['id']}")
    assert await clock_row(working.sql, another) is None


async def test_each_person_is_told_in_their_own_zone(working: Working, shop: Project) -> None:
    people = {zone: await join(working.api, shop, name=zone) for zone in ("Asia/Tokyo", "America/New_York")}
    for zone, person in people.items():
        assert (await person.client.put(f"/users/{person.id}", {"timezone": zone})).status == 200
    at_home = await join(working.api, shop, name="At home")
    everybody = [person.id for person in (*people.values(), at_home)]
    fields = {"targetRoles": [], "targetUsers": everybody, "title": "{{ payload.localTime }}"}
    rule = await make_clock(shop, "realtime", clock={**DAILY, "timezone": "recipient"}, **fields)
    await yesterday(working.sql, rule["id"])
    told = await runs(shop, rule, 3)
    zones = {each["payload"]["timezone"]: each["id"] for each in told}
    assert set(zones) == {"UTC", *people}
    for zone, person in {**people, "UTC": at_home}.items():
        notification = await notified(shop.key, zones[zone])
        assert [each["userId"] for each in notification["recipients"]] == [person.id]
        assert notification["title"].endswith("08:00")


async def test_a_suspended_projects_clock_waits(working: Working, shop: Project) -> None:
    rule = await make_clock(shop, "realtime")
    await working.sql.execute("UPDATE tocsin.projects SET suspended_at = now() WHERE id = $1", shop.id)
    await yesterday(working.sql, rule["id"])

    async def put_off() -> bool:
        return bool(
            await working.sql.fetchval("SELECT next_at > now() FROM tocsin.clocks WHERE rule_id = $1", rule["id"])
        )

    await until(put_off)
    await working.sql.execute("UPDATE tocsin.projects SET suspended_at = NULL WHERE id = $1", shop.id)
    await working.sql.execute("UPDATE tocsin.clocks SET next_at = now() WHERE rule_id = $1", rule["id"])
    await runs(shop, rule)


async def test_another_project_sees_nothing_of_it(working: Working, shop: Project, other: Project) -> None:
    rule = await make_clock(shop, "realtime")
    await make_clock(other, "realtime")
    await yesterday(working.sql, rule["id"])
    await runs(shop, rule)
    reply = await other.key.get("/events", type="tocsin.clock")
    assert reply.json["items"] == []


async def test_the_sandboxs_clock_runs_in_the_sandbox(working: Working, shop: Project) -> None:
    reply = await shop.test_key.post("/rules", {"name": "T", "title": "T", "clock": DAILY, "targetRoles": ["owner"]})
    assert reply.status == 201, reply.json
    await yesterday(working.sql, reply.json["id"])

    async def made() -> list[Any]:
        return list((await shop.test_key.get("/events", type="tocsin.clock")).json["items"])

    [run] = await until(made)
    assert run["payload"]["ruleId"] == reply.json["id"]
    assert (await shop.key.get("/events", type="tocsin.clock")).json["items"] == []


async def test_its_events_count_towards_no_quota_and_its_notifications_do(working: Working, shop: Project) -> None:
    rule = await make_clock(shop, "realtime")
    await yesterday(working.sql, rule["id"])
    [run] = await runs(shop, rule)
    await notified(shop.key, run["id"])
    counted = await working.sql.fetchrow(
        "SELECT (SELECT internal FROM tocsin.events WHERE id = $1) AS event,"
        " (SELECT internal FROM tocsin.notifications WHERE event_id = $1) AS notification",
        run["id"],
    )
    assert tuple(counted) == (True, False)


async def test_a_clock_that_cannot_run_is_put_off_and_holds_up_no_other(working: Working, shop: Project) -> None:
    broken = await make_clock(shop, "realtime")
    rule = await make_clock(shop, "realtime")
    await working.sql.execute("UPDATE tocsin.clocks SET clock = '[]' WHERE rule_id = $1", broken["id"])
    await yesterday(working.sql, broken["id"])
    await yesterday(working.sql, rule["id"])
    await runs(shop, rule)
    assert await working.sql.fetchval("SELECT next_at > now() FROM tocsin.clocks WHERE rule_id = $1", broken["id"])


async def test_two_workers_that_look_at_once_make_one_run(working: Working, shop: Project) -> None:
    """One holds the clock's row; to the other it is not there."""
    rule = await make_clock(shop, "realtime")
    held = await asyncpg.connect(working.site.installer_url)
    try:
        async with held.transaction():
            await held.execute("SELECT FROM tocsin.clocks WHERE rule_id = $1 FOR UPDATE", rule["id"])
            await held.execute(
                "UPDATE tocsin.clocks SET last_at = now() - interval '1 day', next_at = now() WHERE rule_id = $1",
                rule["id"],
            )
            await asyncio.sleep(1.5)
            assert (await shop.key.get("/events", type="tocsin.clock")).json["items"] == []
    finally:
        await held.close()
    await runs(shop, rule)
