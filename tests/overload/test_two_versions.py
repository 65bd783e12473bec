"""An upgrade without a pause: the version before runs on the migrated schema, beside this one and under load (P6)."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.client import Client, sign_up
from tests.endpoint import Answer, Endpoint, endpoint
from tests.engines import running_redis
from tests.overload.balancing import Balanced, all_done, under_load
from tests.pipeline import make_rule
from tests.running import Site, running, running_api
from tests.versions import NoHistory, version_before

PER_SECOND = 50
SECONDS = 3


@pytest.fixture(scope="module")
def before() -> Iterator[Path]:
    """The source of the version before."""
    try:
        with version_before() as folder:
            yield folder / "src"
    except NoHistory as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def sites(database: str, home: Path, before: Path) -> Iterator[tuple[Site, Site]]:
    """One installation for processes of the version before, and the same one for those of this one."""
    with running_redis() as redis:
        site = Site(database, home, redis.url)
        path = os.pathsep.join([str(before), *sys.path])
        yield replace(site, settings={"PYTHONPATH": path}), site


@pytest.fixture
async def served() -> AsyncIterator[Endpoint]:
    async with endpoint(Answer(after=0.05)) as served:
        yield served


async def test_the_version_before_hands_over_to_this_one_under_load(
    sites: tuple[Site, Site], served: Endpoint, http: aiohttp.ClientSession, database: str
) -> None:
    old, new = sites
    root = await asyncpg.connect(database)
    with contextlib.ExitStack() as olds, contextlib.ExitStack() as news:
        old_api = olds.enter_context(running_api(old))
        olds.enter_context(running(old, "worker"))
        project = await sign_up(Client(http, old_api.url), "Upgraded")
        await served.connect(project)
        await make_rule(project, "webhook", eventTypes=["order.*"])
        new_api = news.enter_context(running_api(new))
        balanced = Balanced(http, ready=[old_api])
        async with under_load(balanced, project, PER_SECOND):
            await asyncio.sleep(SECONDS)
            balanced.ready = [old_api, new_api]
            news.enter_context(running(new, "worker"))
            await asyncio.sleep(2 * SECONDS)
            balanced.ready = [new_api]
            await asyncio.sleep(SECONDS)
        await asyncio.to_thread(olds.close)  # the endpoint that they send to answers in this loop
        async with under_load(balanced, project, PER_SECOND):
            await asyncio.sleep(SECONDS)
        await all_done(root)
    assert balanced.asked.keys() == {"202"}, balanced.asked
    count = await root.fetchval("SELECT count(*) FROM tocsin.events WHERE project_id = $1", project.id)
    assert count == len(balanced.accepted)
    wanted = await root.fetchval("SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1", project.id)
    assert len(served.calls) == wanted > 0
    await root.close()


async def test_the_version_before_can_be_gone_back_to(
    sites: tuple[Site, Site], served: Endpoint, http: aiohttp.ClientSession, database: str
) -> None:
    old, new = sites
    root = await asyncpg.connect(database)
    with running_api(new) as api:
        project = await sign_up(Client(http, api.url), "Returned")
        await served.connect(project)
        await make_rule(project, "webhook")
        balanced = Balanced(http, ready=[api])
        async with under_load(balanced, project, PER_SECOND):
            await asyncio.sleep(1)
    with running_api(old) as api, running(old, "worker"):
        balanced.ready = [api]
        async with under_load(balanced, project, PER_SECOND):
            await asyncio.sleep(1)
        await all_done(root)
    assert balanced.asked.keys() == {"202"}, balanced.asked
    assert len({call.id for call in served.calls}) == len(balanced.accepted)
    await root.close()
