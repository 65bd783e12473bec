"""An installation whose WhatsApp is on loopback, and a project there."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.client import Client
from tests.engines import fresh_database
from tests.inbound.numbers import graph
from tests.inbound.shops import Installed, Shop, make_shop
from tests.running import Site, running, running_api
from tocsin.kit.postgres import Running


@pytest.fixture(scope="module")
async def installed(
    cluster: Running, template: str, home: Path, http: aiohttp.ClientSession
) -> AsyncIterator[Installed]:
    async with graph() as meta, fresh_database(cluster, template) as url:
        site = Site(url, home, settings={"TOCSIN_WHATSAPP_API_URL": meta.far.url, "TOCSIN_SLOTS": "8"})
        sql = await asyncpg.connect(url)
        with running_api(site) as process, running(site, "worker"):
            yield Installed(site, Client(http, process.url), sql, meta)
        await sql.close()


@pytest.fixture
async def shop(installed: Installed) -> Shop:
    return await make_shop(installed)
