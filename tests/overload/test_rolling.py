"""Processes are replaced one by one under load: no request fails, and no delivery waits for a lease (P6)."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.endpoint import Answer, Endpoint, endpoint
from tests.engines import running_redis
from tests.overload.balancing import Balanced, all_done, under_load
from tests.pipeline import make_rule, send_events, until
from tests.running import Process, Site, running, running_api

PER_SECOND = 100
GRACE = 3
ROUNDS = 2

_CLAIMABLE = "SELECT count(*) FROM tocsin.deliveries WHERE state = 'queued' AND ready"


@pytest.fixture(scope="module")
def here(database: str, home: Path) -> Iterator[Site]:
    """A lease is longer than any wait of these tests: whatever had to wait for one would fail them."""
    with running_redis() as redis:
        settings = {"TOCSIN_GRACE_SECONDS": str(GRACE), "TOCSIN_LEASE_SECONDS": "300"}
        yield Site(database, home, redis.url, settings)


@pytest.fixture(scope="module")
async def root(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def served() -> AsyncIterator[Endpoint]:
    """Slow enough for a send to be under way whenever a worker is told to stop."""
    async with endpoint(Answer(after=0.3)) as served:
        yield served


async def ready_project(api: Client, served: Endpoint) -> Project:
    project = await sign_up(api, "Rolling")
    await served.connect(project)
    await make_rule(project, "webhook", eventTypes=["order.*"])
    return project


async def stopped(process: Process) -> None:
    """It ends in its own time, as under an orchestrator that asks and waits."""
    process.popen.send_signal(signal.SIGTERM)
    await asyncio.get_running_loop().run_in_executor(None, process.popen.wait, 60)


async def test_apis_are_replaced_one_by_one_and_no_request_fails(
    here: Site, http: aiohttp.ClientSession, root: asyncpg.Connection, served: Endpoint
) -> None:
    with contextlib.ExitStack() as opened:
        apis = [opened.enter_context(running_api(here)) for _ in range(2)]
        opened.enter_context(running(here, "worker"))
        project = await ready_project(Client(http, apis[0].url), served)
        balanced = Balanced(http, list(apis))
        watching = asyncio.create_task(balanced.watch())

        async def ready(count: int) -> bool:
            return len(balanced.ready) == count

        await until(lambda: ready(2), 30)
        async with under_load(balanced, project, PER_SECOND):
            for turn in range(2 * ROUNDS):
                leaving = balanced.processes[0]
                await stopped(leaving)
                balanced.processes = [*balanced.processes[1:], opened.enter_context(running(here, "api"))]
                await until(lambda: ready(2), 60)
                assert leaving not in balanced.ready, turn
        watching.cancel()
        assert balanced.asked.keys() == {"202"}, balanced.asked
        await all_done(root)
        count = await root.fetchval("SELECT count(*) FROM tocsin.events WHERE project_id = $1", project.id)
        assert count == len(balanced.accepted)


async def test_workers_are_replaced_under_load_and_nothing_waits_for_a_lease(
    here: Site, http: aiohttp.ClientSession, root: asyncpg.Connection, served: Endpoint
) -> None:
    with contextlib.ExitStack() as opened:
        api = opened.enter_context(running_api(here))
        project = await ready_project(Client(http, api.url), served)
        workers = [opened.enter_context(running(here, "worker")) for _ in range(2)]
        balanced = Balanced(http, [api], [api])
        async with under_load(balanced, project, PER_SECOND / 2):
            for _ in range(2 * ROUNDS):
                await asyncio.sleep(1)
                await stopped(workers.pop(0))
                workers.append(opened.enter_context(running(here, "worker")))
        await all_done(root)
        wanted = await root.fetchval("SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1", project.id)
        assert len(served.calls) == len({call.id for call in served.calls}) == wanted > 0


async def test_what_waits_for_its_turn_goes_to_another_worker_at_once(
    here: Site, http: aiohttp.ClientSession, root: asyncpg.Connection
) -> None:
    async with endpoint(Answer(after=30)) as served:
        with contextlib.ExitStack() as opened:
            api = opened.enter_context(running_api(here))
            project = await ready_project(Client(http, api.url), served)
            worker = opened.enter_context(running(here, "worker"))
            await send_events(project.key, *({"order": number} for number in range(16)))

            async def all_claimed() -> bool:
                leased = await root.fetchval("SELECT count(*) FROM tocsin.deliveries WHERE state = 'leased'")
                return leased == 16 and served.inside == 8

            await until(all_claimed, 30)
            worker.popen.send_signal(signal.SIGTERM)

            async def given_back() -> bool:
                return (
                    await root.fetchval("SELECT count(*) FROM tocsin.deliveries WHERE state = 'queued' AND ready") == 8
                )

            await until(given_back)
            assert worker.popen.poll() is None
            served.let_go()
            opened.enter_context(running(here, "worker"))
            await all_done(root)
            assert len(served.calls) == 16


async def test_an_api_that_drains_is_not_ready_and_closes_each_connection_after_its_answer(
    here: Site, http: aiohttp.ClientSession
) -> None:
    with running_api(here) as process:
        api = Client(http, process.url)
        project = await sign_up(api, "Drained")
        process.popen.send_signal(signal.SIGTERM)

        async def draining() -> bool:
            return (await api.get("/health/ready")).status == 503

        await until(draining, GRACE)
        reply = await project.key.post("/events", {"type": "a.b", "payload": {}})
        assert reply.status == 202
        assert reply.headers["Connection"] == "close"


@pytest.mark.parametrize("role", ["api", "worker"])
async def test_a_second_signal_ends_a_process_that_still_drains(here: Site, role: str) -> None:
    site = Site(here.installer_url, here.home, here.redis_url, {"TOCSIN_GRACE_SECONDS": "300"})
    async with endpoint(Answer(after=300)) as served:
        with running_api(site) as api, running(site, "worker") as worker:
            async with aiohttp.ClientSession() as http:
                project = await ready_project(Client(http, api.url), served)
                await send_events(project.key, {"order": 1})

                async def sending() -> bool:
                    return served.inside > 0

                await until(sending, 30)
            process = {"api": api, "worker": worker}[role]
            process.popen.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
            assert process.popen.poll() is None
            process.popen.send_signal(signal.SIGTERM)
            assert await asyncio.get_running_loop().run_in_executor(None, process.popen.wait, 15) != 0
            for other in (api, worker):
                other.kill()  # it would drain for as long
