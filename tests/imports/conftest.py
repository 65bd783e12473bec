"""An installation whose bots are known to a Bot API on loopback, and two projects in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.engines import fresh_database
from tests.imports.build import Harbour
from tests.inbound.telegram.bot_api import BotApi, bot_api
from tests.running import Site, running_api
from tocsin.kit.postgres import Running


@pytest.fixture(scope="package")
async def far() -> AsyncIterator[BotApi]:
    async with bot_api() as api:
        yield api


@pytest.fixture(scope="package")
async def harbour(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession, far: BotApi
) -> AsyncIterator[Harbour]:
    async with fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_TELEGRAM_API_URL": far.url})
        sql = await asyncpg.connect(url)
        with running_api(site) as process:
            yield Harbour(site, Client(http, process.url), sql, far)
        await sql.close()


@pytest.fixture
async def shop(harbour: Harbour) -> Project:
    return await sign_up(harbour.api, "Shop")


@pytest.fixture
async def mill(harbour: Harbour) -> Project:
    return await sign_up(harbour.api, "Mill")
