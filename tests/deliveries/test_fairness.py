"""An endpoint that hangs holds up its own project only, and what is urgent goes first (D3, design 2)."""

import time

from tests.client import Project, sign_up
from tests.endpoint import Answer, endpoint
from tests.pipeline import Working, ended, fall_due, make_rule, send_event, send_events, tried, until

SLOTS = 8
SHARE = SLOTS // 4


async def seconds_until_heard(project: Project, calls: list[object]) -> float:
    count, began = len(calls), time.monotonic()
    await send_event(project.key, order="one")

    async def heard() -> bool:
        return len(calls) > count

    await until(heard)
    return time.monotonic() - began


async def test_a_hanging_endpoint_delays_nobody_else(working: Working, shop: Project) -> None:
    quiet = await sign_up(working.api, "Quiet")
    async with endpoint(Answer(after=5)) as hanging, endpoint() as healthy:
        for project, served in ((shop, hanging), (quiet, healthy)):
            await served.connect(project)
            await make_rule(project, "webhook")
        alone = await seconds_until_heard(quiet, healthy.calls)
        await send_events(shop.key, *({"order": number} for number in range(200)))

        async def share_full() -> bool:
            return hanging.inside == SHARE

        await until(share_full)
        beside = [await seconds_until_heard(quiet, healthy.calls) for _ in range(3)]
        assert hanging.inside == SHARE, "it did not hang all the while"
        hanging.let_go()

        async def all_arrived() -> bool:
            return len({call.id for call in hanging.calls}) == 200

        await until(all_arrived, 60)
    assert hanging.most_inside == SHARE
    assert max(beside) < alone + 2, (alone, beside)


async def test_critical_goes_before_low(shop: Project) -> None:
    async with endpoint(Answer(after=30)) as served:
        await served.connect(shop)
        for priority in ("low", "normal", "high", "critical"):
            await make_rule(shop, "webhook", eventTypes=[f"{priority}.*"], title=priority, priority=priority)
        await send_events(shop.key, *({} for _ in range(SHARE)), type_="normal.plug")

        async def plugged() -> bool:
            return served.inside == SHARE

        await until(plugged)
        for priority in ("low", "normal", "high", "critical"):
            event_id = await send_event(shop.key, f"{priority}.event")
        await until(lambda: queued(shop, 4))
        served.let_go()
        await ended(shop.key, event_id)
        await until(lambda: queued(shop, 0))
        titles = {call.data["deliveryId"]: call.data["title"] for call in served.calls[SHARE:]}
        begun = {
            title: (await shop.key.get(f"/deliveries/{id_}")).json["attempts"][0]["startedAt"]
            for id_, title in titles.items()
        }
    assert sorted(begun) == ["critical", "high", "low", "normal"]
    # Two at a time are under way, so neighbours may begin in either order; calls may overtake each other on the way.
    assert begun["critical"] < begun["normal"]
    assert begun["high"] < begun["low"]


async def test_what_is_new_goes_before_what_failed(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        served.answers = [Answer(500), Answer(500), Answer(after=30), Answer(after=30)]
        await served.connect(shop)
        await make_rule(shop, "webhook", eventTypes=["urgent.*"], title="urgent", priority="critical")
        await make_rule(shop, "webhook", eventTypes=["order.*"], title="order", priority="low")
        failed = [await send_event(shop.key, "urgent.one"), await send_event(shop.key, "urgent.two")]
        waiting = [await tried(shop.key, event_id, 1) for event_id in failed]
        await send_events(shop.key, {}, {})

        async def plugged() -> bool:
            return served.inside == SHARE

        await until(plugged)
        for delivery in waiting:
            await fall_due(working.sql, delivery)
        await send_events(shop.key, {}, {})
        await until(lambda: ready(working, shop, 4))
        served.let_go()
        for event_id in failed:
            await ended(shop.key, event_id)
    titles = [call.data["title"] for call in served.calls[4:]]
    assert sorted(titles) == ["order", "order", "urgent", "urgent"]
    assert (titles[0], titles[-1]) == ("order", "urgent")


async def queued(project: Project, count: int) -> bool:
    """Whether so many deliveries wait, beside those that are being sent."""
    found = (await project.key.get("/deliveries", state="queued", limit=200)).json["items"]
    return len(found) - (SHARE if count else 0) == count


async def ready(working: Working, project: Project, count: int) -> bool:
    waiting = "SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1 AND state = 'queued' AND ready"
    return bool(await working.sql.fetchval(waiting, project.id) == count)
