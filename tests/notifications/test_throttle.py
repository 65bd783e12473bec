"""A rule tells one person so often in so long a time and no more; what is over it stands in the feed (R4)."""

from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest

from tests.client import Project
from tests.mail.posted import Posted
from tests.notifications.silence import settled
from tests.pipeline import make_rule, send_event, send_events, until
from tests.running import running

THREE = {"max": 3, "perSeconds": 3600}


@pytest.fixture
async def shop(posted: Posted) -> Project:
    return await posted.sign_up("Shop")


@pytest.fixture
async def ann(shop: Project) -> Any:
    return await shop.add_user(name="Ann")


async def outcomes(project: Project, events: list[str]) -> Counter[tuple[str, str | None]]:
    found = [await settled(project, event) for event in events]
    return Counter((each["state"], each["lastError"]) for each in found)


DROPPED = ("dropped", "throttle: at most 3 in 3600 s")


async def test_what_is_over_it_is_dropped_and_stands_in_the_feed(shop: Project, ann: Any) -> None:
    await make_rule(shop, "realtime", "email", targetUsers=[ann["id"]], throttle=THREE)
    events = [await send_event(shop.key) for _ in range(2)] + await send_events(shop.key, {}, {}, {})
    assert await outcomes(shop, events) == {("sent", None): 3, DROPPED: 2}
    feed = (await shop.key.get("/notifications", userId=ann["id"])).json["items"]
    assert len(feed) == 5


async def test_what_is_critical_passes_it(posted: Posted, shop: Project, ann: Any) -> None:
    """In one project; in another the same rule is not critical and is throttled."""
    mill = await posted.sign_up("Mill")
    cid = await mill.add_user(name="Cid")
    once = {"max": 1, "perSeconds": 3600}
    await make_rule(shop, "email", targetUsers=[ann["id"]], throttle=once, priority="critical")
    await make_rule(mill, "email", targetUsers=[cid["id"]], throttle=once, priority="high")
    alarms, others = [await send_events(project.key, {}, {}, {}) for project in (shop, mill)]
    assert await outcomes(shop, alarms) == {("sent", None): 3}
    assert Counter(state for state, _ in (await outcomes(mill, others)).elements()) == {"sent": 1, "dropped": 2}


async def test_it_counts_for_each_person_rule_and_project_alone(posted: Posted, shop: Project, ann: Any) -> None:
    bob = await shop.add_user()
    mill = await posted.sign_up("Mill")
    cid = await mill.add_user(email=ann["email"])
    once = {"max": 1, "perSeconds": 60}
    for person, type_ in ((ann, "a"), (ann, "b"), (bob, "c")):
        await make_rule(shop, "email", targetUsers=[person["id"]], throttle=once, eventTypes=[type_])
    await make_rule(mill, "email", targetUsers=[cid["id"]], throttle=once)
    for project, type_ in ((shop, "a"), (shop, "b"), (shop, "c"), (mill, "a")):
        assert (await settled(project, await send_event(project.key, type_)))["state"] == "sent"
    for project, type_ in ((shop, "a"), (mill, "a")):
        assert (await settled(project, await send_event(project.key, type_)))["state"] == "dropped"


async def test_the_time_begins_with_the_first_and_begins_again(posted: Posted, shop: Project, ann: Any) -> None:
    await make_rule(shop, "email", targetUsers=[ann["id"]], throttle=THREE)
    events = await send_events(shop.key, *[{}] * 4)
    assert await outcomes(shop, events) == {("sent", None): 3, DROPPED: 1}
    await posted.sql.execute("UPDATE tocsin.throttles SET ends_at = now() WHERE project_id = $1", shop.id)
    events = await send_events(shop.key, *[{}] * 4)
    assert await outcomes(shop, events) == {("sent", None): 3, DROPPED: 1}


async def test_several_workers_let_exactly_so_many_through(posted: Posted, shop: Project, ann: Any) -> None:
    seven = {"max": 7, "perSeconds": 3600}
    await make_rule(shop, "email", targetUsers=[ann["id"]], throttle=seven)
    with ExitStack() as more:
        for _ in range(2):
            more.enter_context(running(posted.site, "worker"))
        events = [await send_event(shop.key) for _ in range(60)]
        found = await outcomes(shop, events)
    assert found == {("sent", None): 7, ("dropped", "throttle: at most 7 in 3600 s"): 53}


async def test_what_it_dropped_can_be_sent_by_hand(shop: Project, ann: Any) -> None:
    await make_rule(shop, "email", targetUsers=[ann["id"]], throttle={"max": 1, "perSeconds": 60})
    events = await send_events(shop.key, {}, {})
    [dropped] = [each for event in events if (each := await settled(shop, event))["state"] == "dropped"]
    assert (await shop.key.post(f"/deliveries/{dropped['id']}/retry")).status == 200

    async def sent() -> bool:
        return (await shop.key.get(f"/deliveries/{dropped['id']}")).json["state"] == "sent"

    assert await until(sent)


async def test_what_was_counted_is_forgotten_when_its_time_is_over(posted: Posted, shop: Project, ann: Any) -> None:
    made = await make_rule(shop, "email", targetUsers=[ann["id"]], throttle=THREE)
    await settled(shop, await send_event(shop.key))
    counted = "SELECT count(*) FROM tocsin.throttles WHERE rule_id = $1"
    await posted.sql.fetchval("SELECT tocsin.tidy_throttles(10)")
    assert await posted.sql.fetchval(counted, made["id"]) == 1
    await posted.sql.execute("UPDATE tocsin.throttles SET ends_at = now() - interval '1 s'")
    assert await posted.sql.fetchval("SELECT tocsin.tidy_throttles(1)") == 1, "in bounded steps"
    while await posted.sql.fetchval("SELECT tocsin.tidy_throttles(10)"):
        pass
    assert await posted.sql.fetchval(counted, made["id"]) == 0
