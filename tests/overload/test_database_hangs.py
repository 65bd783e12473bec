"""While the database hangs nothing is promised and nothing piles up; when it is back, all is as before (P11)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import psutil
import pytest

from tests.client import Client, Project, sign_up
from tests.overload.crowding import Told, send_at_once
from tests.overload.slow_link import Link, link_to
from tests.pipeline import Working, until
from tests.running import Site, running

EVENT = {"type": "order.created", "payload": {}}
ROUNDS, CALLERS, BODY = 8, 150, 200 * 1024
MOST_GROWTH = 200 * 1024 * 1024
"""Of the process: what may wait and what is under way, a few copies of each, and not the 240 MB that were sent."""


@pytest.fixture(scope="module")
async def linked(database: str) -> AsyncIterator[tuple[str, Link]]:
    """The database by way of a link of ours."""
    parts = urlsplit(database)
    assert parts.hostname and parts.port
    async with link_to(parts.hostname, parts.port) as link:
        yield database.replace(f":{parts.port}/", f":{link.port}/"), link


@pytest.fixture(scope="module")
async def remote(
    linked: tuple[str, Link], database: str, home: Path, http: aiohttp.ClientSession
) -> AsyncIterator[Working]:
    root = await asyncpg.connect(database)
    with running(site := Site(linked[0], home), "api") as process:
        api = Client(http, process.url)

        async def ready() -> bool:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                return (await api.get("/health/ready")).status == 200
            return False

        await until(ready, seconds=60)  # this loop carries the link, so it may not be blocked meanwhile
        yield Working(site, process, api, root)
        process.popen.terminate()
        await asyncio.get_running_loop().run_in_executor(None, process.popen.wait, 30)
    await root.close()


@pytest.fixture(scope="module")
async def shop(remote: Working) -> Project:
    return await sign_up(remote.api, "Shop")


@pytest.fixture
async def link(linked: tuple[str, Link]) -> AsyncIterator[Link]:
    yield linked[1]
    linked[1].heal()


async def taken_again(shop: Project) -> None:
    async def taken() -> bool:
        reply = await shop.key.post("/events", EVENT)
        assert reply.status in (202, 503), reply.json
        return reply.status == 202

    await until(taken, seconds=30)


async def test_events_do_not_pile_up_in_memory_while_their_table_is_locked(
    remote: Working, shop: Project, database: str
) -> None:
    process = psutil.Process(remote.process.popen.pid)
    await send_at_once(shop.key, CALLERS, 1, Told(), note="x")
    before = process.memory_info().rss
    locker = await asyncpg.connect(database)
    told = Told()
    async with locker.transaction():
        await locker.execute("LOCK TABLE tocsin.events IN SHARE MODE")
        most = before
        for _ in range(ROUNDS):
            await send_at_once(shop.key, CALLERS, 1, told, note="x" * BODY)
            most = max(most, process.memory_info().rss)
    await locker.close()
    assert told.statuses == {503}
    assert not told.unhelpful
    assert most - before < MOST_GROWTH
    await taken_again(shop)


async def test_an_event_that_waited_behind_a_lock_is_answered_before_the_lock_is_released(
    shop: Project, database: str
) -> None:
    locker = await asyncpg.connect(database)
    async with locker.transaction():
        await locker.execute("LOCK TABLE tocsin.events IN SHARE MODE")
        told = Told()
        await send_at_once(shop.key, 20, 1, told)
        assert told.statuses == {503}
    await locker.close()
    await taken_again(shop)


async def test_a_slow_database_is_survived_and_what_was_accepted_is_there(
    remote: Working, shop: Project, link: Link
) -> None:
    link.delay = 0.1
    told = Told()
    await send_at_once(shop.key, 60, 3, told)
    link.heal()
    assert told.statuses <= {202, 503} and told.accepted
    rows = await remote.sql.fetch("SELECT client_event_id FROM tocsin.events WHERE project_id = $1", shop.id)
    assert told.accepted <= {row["client_event_id"] for row in rows}


async def test_after_a_link_that_hung_events_are_taken_without_a_restart(
    remote: Working, shop: Project, link: Link
) -> None:
    pid = remote.process.popen.pid
    link.hang()
    told = Told()
    sending = asyncio.create_task(send_at_once(shop.key, 30, 2, told))

    async def some_refused() -> bool:
        return 503 in told.statuses

    await until(some_refused, seconds=30)
    assert (await remote.api.get("/health/live")).status == 200
    assert (await remote.api.get("/health/ready")).status == 503
    link.heal()
    await sending
    assert told.statuses <= {202, 503}

    async def all_taken() -> bool:
        again = Told()
        await send_at_once(shop.key, 30, 2, again)
        assert again.statuses <= {202, 503}
        return again.statuses == {202}

    await until(all_taken, seconds=30)  # of the pool's connections one after the other finds out that it was cut off
    assert remote.process.popen.pid == pid and remote.process.popen.poll() is None
