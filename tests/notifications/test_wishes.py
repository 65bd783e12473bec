"""What a person has switched off reaches them by no channel, and the reason stands with it (R4)."""

from typing import Any

import pytest

from tests.client import Project
from tests.mail.posted import Posted
from tests.notifications.silence import prefer, settled
from tests.pipeline import make_rule, send_event


@pytest.fixture
async def shop(posted: Posted) -> Project:
    return await posted.sign_up("Shop")


@pytest.fixture
async def ann(shop: Project) -> Any:
    return await shop.add_user(name="Ann")


async def outcome(project: Project) -> tuple[str, str | None]:
    found = await settled(project, await send_event(project.key))
    return found["state"], found["lastError"]


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ({"topics": {"orders": {"muted": True}}}, "the topic orders is muted"),
        ({"topics": {"orders": {"channels": ["sms"]}}}, "the topic orders does not come by email"),
        ({"channels": {"email": False}}, "email is switched off"),
        ({"channels": {"email": False}, "topics": {"orders": {"channels": ["email"]}}}, "email is switched off"),
        ({"topics": {"orders": {"channels": ["email"]}}, "channels": {"sms": False}}, None),
        ({"topics": {"others": {"muted": True}}}, None),
        ({"topics": {"orders": {"muted": False}}, "channels": {"email": True}}, None),
    ],
)
async def test_what_is_wished_is_kept_to(shop: Project, ann: Any, wishes: Any, reason: str | None) -> None:
    await make_rule(shop, "email", targetUsers=[ann["id"]], topic="orders", priority="critical")
    await prefer(shop.key, ann["id"], **wishes)
    assert await outcome(shop) == (("dropped", f"preferences: {reason}") if reason else ("sent", None))


async def test_it_stands_in_the_feed_and_comes_without_a_sound(shop: Project, ann: Any) -> None:
    await make_rule(shop, "realtime", targetUsers=[ann["id"]], topic="orders")
    await prefer(shop.key, ann["id"], topics={"orders": {"muted": True}})
    event_id = await send_event(shop.key)
    live = await settled(shop, event_id, "realtime")
    assert (live["state"], live["lastError"]) == ("sent", "silently: preferences: the topic orders is muted")
    feed = (await shop.key.get("/notifications", userId=ann["id"])).json["items"]
    assert [each["eventId"] for each in feed] == [event_id]


async def test_nobody_sends_it_by_hand_against_the_persons_wish(shop: Project, ann: Any) -> None:
    await make_rule(shop, "email", targetUsers=[ann["id"]], topic="orders")
    await prefer(shop.key, ann["id"], topics={"orders": {"muted": True}})
    dropped = await settled(shop, await send_event(shop.key))
    reply = await shop.key.post(f"/deliveries/{dropped['id']}/retry")
    assert (reply.status, reply.code) == (409, "not_retryable")


async def test_wishes_of_one_project_count_in_no_other(posted: Posted, shop: Project, ann: Any) -> None:
    mill = await posted.sign_up("Mill")
    there = await mill.add_user(email=ann["email"])
    await make_rule(mill, "email", targetUsers=[there["id"]], topic="orders")
    await prefer(shop.key, ann["id"], topics={"orders": {"muted": True}}, channels={"email": False})
    assert await outcome(mill) == ("sent", None)


async def test_what_is_dropped_is_told_to_endpoints_that_listen(posted: Posted, shop: Project, ann: Any) -> None:
    await make_rule(shop, "email", targetUsers=[ann["id"]], topic="orders")
    await prefer(shop.key, ann["id"], topics={"orders": {"muted": True}})
    body = {"url": "https://hooks.example.com/", "eventTypes": ["notification.failed"]}
    reply = await shop.owner.post("/webhook-endpoints", body)
    assert reply.status == 201, reply.json
    dropped = await settled(shop, await send_event(shop.key))
    told = await posted.sql.fetch("SELECT event_type FROM tocsin.webhook_messages WHERE project_id = $1", shop.id)
    assert [row["event_type"] for row in told] == ["notification.failed"], dropped
