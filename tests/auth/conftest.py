"""Two processes, in each way that they hear of each other."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.auth.two import Two
from tests.client import Client
from tests.engines import fresh_database, running_redis
from tests.running import Site, running_api
from tocsin.kit.db import Database
from tocsin.kit.postgres import Running


@pytest.fixture(scope="module", params=["redis", "no redis", "no redis, cut"])
async def two(
    request: pytest.FixtureRequest, cluster: Running, template: str, home: Path, http: aiohttp.ClientSession
) -> AsyncIterator[Two]:
    async with fresh_database(cluster, template) as url:
        with contextlib.ExitStack() as running:
            if request.param == "redis":
                redis = running.enter_context(running_redis()).url
                sites = Site(url, home, redis), Site(url, home, redis)
            else:
                sites = Site(url, home, settings={"TOCSIN_REALTIME": "0"}), Site(url, home)
            here, there = (running.enter_context(running_api(site)) for site in sites)
            db = Database(sites[0].app_url, ordinary=1, hot=0, statement_seconds=5)
            sql = await asyncpg.connect(url)
            clients = Client(http, here.url), Client(http, there.url)
            yield Two(sites[0], *clients, db, sql, cuts=request.param.endswith("cut"))
            await sql.close()
            await db.close()
