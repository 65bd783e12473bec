"""Tocsin's own occurrences: rules hear of them, a new project's admins are told, and none makes the next (R7)."""

from typing import Any
from uuid import UUID

import pytest

from tests.channels.far_end import answering
from tests.client import Project, sign_up
from tests.connections.build import make_hook
from tests.pipeline import Working, ended, make_rule, notified, send_event, story, until
from tests.plans.build import put_on
from tocsin.audit.occurrence import MOST_WITHIN_AN_HOUR, occur
from tocsin.kit.db import Database


@pytest.fixture
async def shop(working: Working) -> Project:
    return await sign_up(working.api, "Shop")


@pytest.fixture
async def other(working: Working) -> Project:
    return await sign_up(working.api, "Other")


async def occurrences(project: Project, type_: str) -> list[Any]:
    return list((await project.key.get("/events", type=type_)).json["items"])


async def occurred(project: Project, type_: str) -> Any:
    async def look() -> list[Any]:
        return await occurrences(project, type_)

    [found] = await until(look)
    return found


async def test_the_admins_of_a_new_project_are_told_of_deliveries_that_fail(
    working: Working, shop: Project, other: Project
) -> None:
    async with answering() as far:
        far.status = 410
        await make_hook(shop.key, far.url)
        await make_rule(shop, "webhook", eventTypes=["order.*"], targetRoles=["owner"])
        failed = await ended(shop.key, await send_event(shop.key))
        assert failed["state"] == "failed"
        event = await occurred(shop, "tocsin.delivery.failing")
        assert event["payload"]["deliveryId"] == failed["id"]
        told = await notified(shop.key, event["id"])
        assert told["title"] == "Messages over webhook do not arrive"
        assert [each["userId"] for each in told["recipients"]] == [shop.signed_up["user"]["id"]]
        await ended(shop.key, await send_event(shop.key))
        assert len(await occurrences(shop, "tocsin.delivery.failing")) == 1, "of a channel once an hour"
    assert await occurrences(other, "tocsin.delivery.failing") == []


async def test_a_rule_hears_of_a_connection_that_goes_into_error(
    working: Working, shop: Project, other: Project
) -> None:
    rules = [
        await make_rule(
            project, "realtime", eventTypes=["tocsin.connection.error"], targetRoles=["owner"], title=TOLD_OF_CONNECTION
        )
        for project in (shop, other)
    ]
    async with answering(401) as far:
        body = {"provider": "ntfy", "name": "Alerts", "settings": {"url": far.url, "topic": "orders"}}
        made = await shop.owner.post("/connections", body)
        assert made.status == 201, made.json
        await working.sql.execute("UPDATE tocsin.connections SET status = 'active' WHERE id = $1", made.json["id"])
        await make_rule(shop, "ntfy", eventTypes=["order.*"])
        await send_event(shop.key)
        event = await occurred(shop, "tocsin.connection.error")
    told = await story(shop.key, event["id"])
    [heard] = [each for each in told["trace"] if each["ruleId"] == rules[0]["id"]]
    assert heard["matched"] is True
    notification = (await shop.key.get(f"/notifications/{heard['notificationId']}")).json
    assert notification["title"] == "Alerts (ntfy) stopped"
    assert [each["userId"] for each in notification["recipients"]] == [shop.signed_up["user"]["id"]]
    assert event["payload"]["connectionId"] == made.json["id"]
    assert event["payload"]["statusReason"]
    assert await occurrences(other, "tocsin.connection.error") == []
    assert (await other.owner.get("/notifications")).json["items"] == []


TOLD_OF_CONNECTION = "{{ payload.name }} ({{ payload.provider }}) stopped"


async def test_a_delivery_that_tells_of_an_occurrence_makes_no_other(working: Working, shop: Project) -> None:
    async with answering() as far:
        far.status = 410
        await make_hook(shop.key, far.url)
        await make_rule(shop, "webhook", eventTypes=["*", "tocsin.*"], targetRoles=["owner"])
        await ended(shop.key, await send_event(shop.key))
        event = await occurred(shop, "tocsin.delivery.failing")
        # Let the hour pass that would hide a second one.
        await working.sql.execute(
            'UPDATE tocsin.events SET payload = \'{"channel": "other"}\' WHERE project_id = $1 AND internal', shop.id
        )
        counted = await working.sql.fetchval("SELECT count(*) FROM tocsin.events WHERE project_id = $1", shop.id)

        async def told() -> list[Any]:
            reply = await shop.key.get("/deliveries", channel="webhook", limit=200)
            return [each for each in reply.json["items"] if each["state"] == "failed"][1:]

        await until(told)
        now = await working.sql.fetchval("SELECT count(*) FROM tocsin.events WHERE project_id = $1", shop.id)
        assert (now, counted) == (2, 2), event


async def test_a_rule_for_all_that_is_sent_hears_nothing_of_it(shop: Project) -> None:
    async with answering() as far:
        far.status = 410
        await make_hook(shop.key, far.url)
        everything = await make_rule(shop, "webhook", eventTypes=["*"])
        await ended(shop.key, await send_event(shop.key))
        event = await story(shop.key, (await occurred(shop, "tocsin.delivery.failing"))["id"])
    assert everything["id"] not in [each["ruleId"] for each in event["trace"]]
    assert len((await shop.key.get("/deliveries", channel="webhook")).json["items"]) == 1


async def test_the_same_is_told_once_an_hour_and_a_kind_so_often_at_most(working: Working, shop: Project) -> None:
    db = Database(working.site.app_url, ordinary=0, hot=1, statement_seconds=5)
    await db.start()
    try:
        async with db.unit(UUID(shop.id), "live") as connection:
            for number in (1, 1, *range(2, MOST_WITHIN_AN_HOUR + 10)):
                await occur(connection, UUID(shop.id), "live", "tocsin.webhook.paused", {"url": str(number)})
            await occur(connection, UUID(shop.id), "live", "tocsin.quota.warning", {"percent": 80})
    finally:
        await db.close()
    kinds = await working.sql.fetch(
        "SELECT type, count(*) AS n FROM tocsin.events WHERE project_id = $1 GROUP BY type ORDER BY n", shop.id
    )
    assert [(row["type"], row["n"]) for row in kinds] == [
        ("tocsin.quota.warning", 1),
        ("tocsin.webhook.paused", MOST_WITHIN_AN_HOUR),
    ]


async def test_a_rule_that_hears_of_them_alone_counts_towards_no_limit(working: Working, shop: Project) -> None:
    await put_on(working.sql, shop, "free")
    for _ in range(5):
        await make_rule(shop, "realtime", eventTypes=["order.*"], targetRoles=["owner"])
    own = await make_rule(shop, "realtime", eventTypes=["tocsin.quota.*"], targetRoles=["owner"])
    refused = await shop.owner.put(f"/rules/{own['id']}", {"eventTypes": ["tocsin.quota.*", "order.*"]})
    assert (refused.status, refused.code) == (403, "limit_reached")
    renamed = await shop.owner.put(f"/rules/{own['id']}", {"name": "Quotas", "eventTypes": ["tocsin.*"]})
    assert renamed.status == 200


@pytest.mark.parametrize(
    ("type_", "payload", "title"),
    [
        ("delivery.failing", {"channel": "sms", "error": "refused"}, "Messages over sms do not arrive"),
        ("connection.error", {"name": "Bot", "owner": "project"}, "The connection Bot has stopped"),
        ("quota.warning", {"quota": "events", "percent": 80}, "80 percent of the month's events are used"),
        ("quota.exceeded", {"quota": "events", "percent": 100}, "The month's events are used up"),
        ("login.suspicious", {"name": "Ann", "reason": "spent_token"}, "A sign-in of Ann looks suspicious"),
        ("webhook.paused", {"url": "https://a.example", "reason": "x"}, "The webhook https://a.example is paused"),
        ("connection.error", {"name": "Bot", "owner": "user"}, None),
        ("login.suspicious", {"name": "Ann", "reason": "new_place"}, None),
    ],
)
async def test_the_first_rule_tells_of_each_in_words(
    shop: Project, type_: str, payload: Any, title: str | None
) -> None:
    [rule] = (await shop.owner.get("/rules")).json["items"]
    event = {"type": f"tocsin.{type_}", "payload": payload}
    tried = (await shop.owner.post(f"/rules/{rule['id']}/test", {"event": event})).json
    assert (tried["matched"], tried["error"]) == (title is not None, None)
    if title:
        assert tried["rendered"]["title"] == title
        assert [each["userId"] for each in tried["recipients"]] == [shop.signed_up["user"]["id"]]
