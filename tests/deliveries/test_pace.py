"""How fast a connection sends is one limit for all processes, and a pause is its own alone (D4, C6)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.client import Project, sign_up
from tests.endpoint import Answer, Call, Endpoint, endpoint
from tests.pipeline import Working, ended, make_rule, send_event, send_events, until
from tests.running import running

SHARE = 2
"""Of the worker's eight slots, for one project."""


@pytest.fixture
async def two_workers(working: Working) -> AsyncIterator[Working]:
    with running(working.site, "worker") as process:

        async def ready() -> bool:
            return b"worker ready" in process.log.read_bytes()

        await until(ready)
        yield working


async def limited(working: Working, project: Project, served: Endpoint, **limits: int) -> Any:
    """Make this the endpoint of a project, with limits of its connection."""
    made = await served.connect(project)
    for column, value in limits.items():
        await working.sql.execute(f"UPDATE tocsin.connections SET {column} = $2 WHERE id = $1", made["id"], value)
    return made


async def delivered(served: Endpoint, count: int, seconds: float = 30) -> list[Call]:
    """The calls of so many deliveries, once all have been heard."""

    async def all_heard() -> bool:
        return len({call.id for call in served.calls}) >= count

    await until(all_heard, seconds)
    return served.calls


async def test_requests_a_second_are_counted_over_all_workers(two_workers: Working, shop: Project) -> None:
    async with endpoint() as served:
        await limited(two_workers, shop, served, rate_limit_rps=5)
        await make_rule(shop, "webhook")
        await send_events(shop.key, *({"order": number} for number in range(16)))
        calls = await delivered(served, 16)
    assert len(calls) == 16
    # Fifteen gaps of 0.2 s; each worker with a limit of its own would need half of that.
    assert calls[-1].at - calls[0].at > 2


async def test_so_many_at_a_time_are_counted_over_all_workers(two_workers: Working, shop: Project) -> None:
    async with endpoint(Answer(after=0.2)) as served:
        made = await limited(two_workers, shop, served, max_concurrent=1)
        await make_rule(shop, "webhook")
        await send_events(shop.key, *({"order": number} for number in range(6)))
        await delivered(served, 6)
        assert served.most_inside == 1
        turns = "SELECT count(*) FROM tocsin.connection_turns WHERE connection_id = $1"

        async def returned() -> bool:
            return not await two_workers.sql.fetchval(turns, made["id"])

        await until(returned)


async def test_what_waits_for_a_limit_spends_no_try_and_keeps_its_rank(two_workers: Working, shop: Project) -> None:
    async with endpoint() as served:
        await limited(two_workers, shop, served, rate_limit_rps=1)
        await make_rule(shop, "webhook", priority="high")
        await send_events(shop.key, *({"order": number} for number in range(6)))

        async def some_wait() -> list[Any]:
            query = "SELECT rank, attempts, last_error FROM tocsin.deliveries WHERE project_id = $1 AND NOT ready"
            return list(await two_workers.sql.fetch(f"{query} AND state = 'queued'", shop.id))

        waiting = await until(some_wait)
        await delivered(served, 6)
    assert {tuple(row) for row in waiting} == {(1, 0, "waits: the connection's limit")}


async def test_a_429_pauses_that_connection_and_nothing_else(two_workers: Working, shop: Project) -> None:
    other = await sign_up(two_workers.api, "Other")
    async with endpoint() as busy, endpoint() as healthy:
        busy.answers = [Answer(429, {"Retry-After": "3"})] * (2 * SHARE)
        paused, theirs = await busy.connect(shop), await healthy.connect(other)
        for project in (shop, other):
            await make_rule(project, "webhook")
        await send_events(shop.key, *({"order": number} for number in range(10)))

        async def rate_limited() -> Any:
            told = (await shop.key.get(f"/connections/{paused['id']}/health")).json
            return told if told["status"] == "rate_limited" else None

        told = await until(rate_limited)
        assert told["pausedUntil"] is not None
        await ended(other.key, await send_event(other.key, order="beside"))
        assert (await other.key.get(f"/connections/{theirs['id']}")).json["status"] == "active"
        before = len(busy.calls)  # those that were under way when the first was refused have come by now
        assert before <= 2 * SHARE
        busy.answers.clear()
        calls = await delivered(busy, 10)
        await until(lambda: all_delivered(shop, 10))
    refused, taken = calls[:before], calls[before:]
    assert len(taken) == 10
    assert min(call.at for call in taken) - max(call.at for call in refused) > 1.5
    attempts = "SELECT attempts, count(*) AS times FROM tocsin.deliveries WHERE project_id = $1 GROUP BY 1"
    assert dict(await two_workers.sql.fetch(attempts, shop.id)) == {1: 10 - before, 2: before}
    rank = "SELECT DISTINCT rank FROM tocsin.deliveries WHERE project_id = $1"
    assert [row["rank"] for row in await two_workers.sql.fetch(rank, shop.id)] == [2]


async def all_delivered(project: Project, count: int) -> bool:
    found = (await project.key.get("/deliveries", state="delivered", limit=200)).json["items"]
    return len(found) == count


async def test_after_a_pause_the_urgent_goes_first(working: Working, shop: Project) -> None:
    async with endpoint() as served:
        served.answers = [Answer(429, {"Retry-After": "2"})] * SHARE
        served.usual = Answer(after=0.3)
        await served.connect(shop)
        for priority in ("low", "critical"):
            await make_rule(shop, "webhook", eventTypes=[f"{priority}.*"], title=priority, priority=priority)
        await send_events(shop.key, *({} for _ in range(10)), type_="low.event")

        async def paused() -> bool:
            return len(served.calls) >= SHARE

        await until(paused)
        refused = len(served.calls)
        await send_event(shop.key, "critical.event")
        await until(lambda: all_delivered(shop, 11))
    titles = [call.data["title"] for call in served.calls[refused:]]
    # Those that are under way together may overtake each other.
    assert titles.index("critical") <= 2 * SHARE
    assert len(titles) == 11


async def test_what_waits_for_its_turn_is_not_sent_over_a_connection_that_was_stopped(
    working: Working, shop: Project
) -> None:
    async with endpoint(Answer(after=30)) as served:
        made = await limited(working, shop, served, max_concurrent=1)
        await make_rule(shop, "webhook")
        await send_events(shop.key, {"order": 1}, {"order": 2})

        async def one_inside() -> bool:
            leased = "SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1 AND state = 'leased'"
            return served.inside == 1 and await working.sql.fetchval(leased, shop.id) == 2

        await until(one_inside)
        await until(lambda: older_lease(working, shop))
        stop = "UPDATE tocsin.connections SET status = 'suspended', updated_at = now() WHERE id = $1"
        await working.sql.execute(stop, made["id"])
        served.let_go()

        async def waits() -> bool:
            query = "SELECT last_error FROM tocsin.deliveries WHERE project_id = $1 AND state = 'queued'"
            return await working.sql.fetchval(query, shop.id) == "no active connection for webhook: suspended"

        await until(waits)
        assert len(served.calls) == 1


async def older_lease(working: Working, project: Project) -> bool:
    """Whether what was claimed has been waiting for a second."""
    query = """SELECT count(*) FROM tocsin.deliveries
        WHERE project_id = $1 AND state = 'leased' AND lease_until < now() + interval '59 s'"""
    return bool(await working.sql.fetchval(query, project.id) == 2)
