"""One installation for the machinery of `make bench` in small: an API and a worker over a database of their own."""

from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest
from bench.far_end import FarEnd, far_end
from bench.run import Run
from bench.running import Installed

from tests.client import Client, sign_up
from tests.engines import fresh_database
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running


@pytest.fixture(scope="module")
async def place(cluster: Running, template: str, home: object, http: aiohttp.ClientSession) -> AsyncIterator[Installed]:
    async with fresh_database(cluster, template) as url:
        site = Site(url, home)
        superuser = await asyncpg.connect(url)
        with running_api(site) as api, running(site, "worker") as worker:
            project = await sign_up(Client(http, api.url), "Bench")
            yield Installed(site, cluster, {"api": api, "worker": worker}, project, superuser)
        await superuser.close()


@pytest.fixture(scope="module")
async def far() -> AsyncIterator[FarEnd]:
    async with far_end() as served:
        yield served


@pytest.fixture
def run() -> Run:
    """A run that tells nobody what it is doing."""
    return Run(1, 1.0, True, lambda what: None)
