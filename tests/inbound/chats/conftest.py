"""An installation whose chat tools are on loopback: one API, one worker."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.channels.far_end import FarEnd, answering
from tests.client import Client, Project, sign_up
from tests.engines import fresh_database
from tests.inbound.chats.chat import Town, as_discord_says
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running


@pytest.fixture(scope="package")
async def far() -> AsyncIterator[FarEnd]:
    async with answering(200, "ok") as end:
        end.to = as_discord_says
        yield end


@pytest.fixture(scope="package")
async def town(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession, far: FarEnd
) -> AsyncIterator[Town]:
    async with fresh_database(cluster, template) as url:
        settings = {"TOCSIN_DISCORD_API_URL": far.url, "TOCSIN_PUBLIC_URL": "https://alerts.tocsin.example"}
        site = Site(url, home, settings=settings)
        sql = await asyncpg.connect(url)
        with running_api(site) as process, running(site, "worker"):
            yield Town(site, Client(http, process.url), sql, far)
        await sql.close()


@pytest.fixture(scope="module")
async def shop(town: Town) -> Project:
    return await sign_up(town.api, "Shop")


@pytest.fixture(scope="module")
async def mill(town: Town) -> Project:
    return await sign_up(town.api, "Mill")
