"""An installation that Telegram can call and that calls a Bot API on loopback: one API, one worker."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.engines import fresh_database
from tests.inbound.telegram.bot_api import BotApi, bot_api
from tests.inbound.telegram.town import PUBLIC, Town
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running


@pytest.fixture(scope="package")
async def far() -> AsyncIterator[BotApi]:
    async with bot_api() as api:
        yield api


@pytest.fixture(scope="package")
async def town(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession, far: BotApi
) -> AsyncIterator[Town]:
    async with fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_PUBLIC_URL": PUBLIC, "TOCSIN_TELEGRAM_API_URL": far.url})
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
