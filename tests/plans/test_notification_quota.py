"""Over the quota of notifications an event is still kept and processed; its deliveries end as `quota` (Q2)."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.client import Project, sign_up
from tests.connections.build import make_hook, receiver
from tests.pipeline import Working, deliveries_of, ended, make_rule, send_event, send_events, story
from tests.plans.build import counters, put_on

QUOTA = "quota: the notifications of this month that the plan allows are used up"


@pytest.fixture
async def shop(working: Working) -> Project:
    return await sign_up(working.api, "Shop")


async def states(shop: Project, events: list[str], channel: str) -> list[str]:
    """The state of each event's one delivery, sorted."""
    return sorted([(await ended(shop.key, event_id, channel))["state"] for event_id in events])


async def made(sql: asyncpg.Connection, project: Project) -> tuple[int, int]:
    """How many notifications are within the quota, and how many over it."""
    row = await sql.fetchrow(
        "SELECT count(*) FILTER (WHERE NOT over_quota AND NOT internal) AS within,"
        " count(*) FILTER (WHERE over_quota) AS over FROM tocsin.notifications WHERE project_id = $1",
        project.id,
    )
    assert row is not None
    return row["within"], row["over"]


async def test_exactly_the_limit_is_sent_and_the_rest_is_kept(shop: Project, working: Working) -> None:
    await put_on(working.sql, shop, "starter", quotas={"notifications": 7})
    async with receiver() as hook:
        await make_hook(shop.owner, hook.url)
        await make_rule(shop, "webhook")
        events = await send_events(shop.key, *({"n": n} for n in range(20)))
        assert await states(shop, events, "webhook") == ["delivered"] * 7 + ["dropped"] * 13
    assert await made(working.sql, shop) == (7, 13)
    assert (await counters(working.sql, shop))["notifications"] == 7


async def test_the_event_is_processed_and_its_delivery_says_why(shop: Project, working: Working) -> None:
    await put_on(working.sql, shop, "starter", quotas={"notifications": 0})
    await make_rule(shop, "realtime", targetRoles=["owner"], eventTypes=["order.created"])
    event_id = await send_event(shop.key)
    told = await story(shop.key, event_id)
    assert (told["status"], told["outcome"]) == ("processed", "notified")
    [delivery] = await deliveries_of(shop.key, event_id)
    assert (delivery["state"], delivery["lastError"], delivery["sentAt"]) == ("dropped", QUOTA, None)
    assert [each["id"] for each in (await shop.owner.get("/notifications")).json["items"]] == told["notifications"]


async def test_what_was_dropped_is_retried_once_there_is_room_and_counts_then(shop: Project, working: Working) -> None:
    await put_on(working.sql, shop, "starter", quotas={"notifications": 0})
    async with receiver() as hook:
        await make_hook(shop.owner, hook.url)
        await make_rule(shop, "webhook")
        event_id = await send_event(shop.key)
        dropped = await ended(shop.key, event_id)
        assert (await shop.owner.post(f"/deliveries/{dropped['id']}/retry")).code == "quota_exceeded"
        await put_on(working.sql, shop, "starter", quotas={"notifications": 1})
        assert (await shop.owner.post(f"/deliveries/{dropped['id']}/retry")).status == 200
        assert (await ended(shop.key, event_id))["state"] == "delivered"
    assert await made(working.sql, shop) == (1, 0)
    assert (await counters(working.sql, shop))["notifications"] == 1


async def test_what_was_to_be_seen_at_once_is_not_retried(shop: Project, working: Working) -> None:
    await put_on(working.sql, shop, "starter", quotas={"notifications": 0})
    await make_rule(shop, "realtime", targetRoles=["owner"])
    dropped = await ended(shop.key, await send_event(shop.key), "realtime")
    assert (await shop.owner.post(f"/deliveries/{dropped['id']}/retry")).code == "not_retryable"


async def test_the_sandbox_counts_none(shop: Project, working: Working) -> None:
    await put_on(working.sql, shop, "starter", quotas={"notifications": 0})
    await make_rule(shop, "realtime", targetRoles=["owner"])
    assert (await ended(shop.test_key, await send_event(shop.test_key), "realtime"))["state"] == "sent"


async def test_another_project_sends_on(shop: Project, working: Working) -> None:
    rival = await sign_up(working.api, "Rival")
    await put_on(working.sql, shop, "starter", quotas={"notifications": 0})
    await put_on(working.sql, rival, "starter", quotas={"notifications": 1})

    async def state(project: Project) -> Any:
        await make_rule(project, "realtime", targetRoles=["owner"])
        return (await ended(project.key, await send_event(project.key), "realtime"))["state"]

    assert await asyncio.gather(state(shop), state(rival)) == ["dropped", "sent"]
