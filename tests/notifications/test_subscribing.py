"""A topic may be for those alone who subscribe to it (R4)."""

from typing import Any

import pytest

from tests.client import Project
from tests.mail.posted import Posted
from tests.notifications.silence import prefer, settled
from tests.pipeline import deliveries_of, make_rule, send_event, until

NOT_SUBSCRIBED = "preferences: not subscribed to the topic news"


async def with_news(posted: Posted, name: str, *opt_in: str) -> tuple[Project, Any]:
    project = await posted.sign_up(name)
    person = await project.add_user()
    await make_rule(project, "realtime", "email", targetUsers=[person["id"]], topic="news", priority="critical")
    if opt_in:
        assert (await project.owner.put("/projects/me/settings", {"optInTopics": opt_in})).status == 200
    return project, person


async def outcome(project: Project) -> tuple[str, str | None]:
    found = await settled(project, await send_event(project.key))
    return found["state"], found["lastError"]


async def test_it_reaches_who_subscribed_and_nobody_else_in_this_project_alone(posted: Posted) -> None:
    shop, ann = await with_news(posted, "Shop", "news")
    mill, _ = await with_news(posted, "Mill")
    assert await outcome(shop) == ("dropped", NOT_SUBSCRIBED)
    assert await outcome(mill) == ("sent", None)
    await prefer(shop.key, ann["id"], topics={"news": {"subscribed": True}})
    assert await outcome(shop) == ("sent", None)
    await prefer(shop.key, ann["id"], topics={"news": {"subscribed": False}})
    assert await outcome(shop) == ("dropped", NOT_SUBSCRIBED)


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"muted": False, "channels": ["email"]}, NOT_SUBSCRIBED),
        ({"subscribed": True, "muted": True}, "preferences: the topic news is muted"),
        ({"subscribed": True, "channels": ["sms"]}, "preferences: the topic news does not come by email"),
        ({"subscribed": True, "channels": ["email"]}, None),
    ],
)
async def test_whoever_subscribed_may_still_mute_it_and_choose_its_channels(
    posted: Posted, wish: Any, reason: str | None
) -> None:
    shop, ann = await with_news(posted, "Shop", "news")
    await prefer(shop.key, ann["id"], topics={"news": wish})
    assert await outcome(shop) == (("dropped", reason) if reason else ("sent", None))


async def test_other_topics_and_what_has_none_reach_people_as_before(posted: Posted) -> None:
    shop, _ = await with_news(posted, "Shop", "tips")
    assert await outcome(shop) == ("sent", None)


async def test_it_stands_in_the_feed_silently_and_the_explanation_says_why(posted: Posted) -> None:
    shop, ann = await with_news(posted, "Shop", "news")
    event_id = await send_event(shop.key)
    live = await settled(shop, event_id, "realtime")
    assert (live["state"], live["lastError"]) == ("sent", f"silently: {NOT_SUBSCRIBED}")
    dropped = await settled(shop, event_id)
    told = (await shop.key.get(f"/events/{event_id}/explain", userId=ann["id"])).json
    (mail,) = [each for each in told["rules"][0]["deliveries"] if each["channel"] == "email"]
    assert (mail["code"], mail["detail"]) == ("not_subscribed", NOT_SUBSCRIBED)
    assert "not subscribed to the topic news" in mail["sentence"]
    reply = await shop.key.post(f"/deliveries/{dropped['id']}/retry")
    assert (reply.status, reply.code) == (409, "not_retryable")


async def test_a_channel_that_reaches_the_project_asks_nobody(posted: Posted) -> None:
    shop = await posted.sign_up("Shop")
    assert (await shop.owner.put("/projects/me/settings", {"optInTopics": ["news"]})).status == 200
    await make_rule(shop, "webhook", targetRoles=["owner"], topic="news")

    async def settled() -> Any:
        [found] = await deliveries_of(shop.key, event_id, "webhook")
        return found if found["lastError"] else None

    event_id = await send_event(shop.key)
    assert "no connection" in (await until(settled))["lastError"]
