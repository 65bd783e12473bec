"""An API with few places and a short queue beside a worker, and two projects in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.pipeline import Working
from tests.running import Site, running, running_api

FEW = {"TOCSIN_PLACES": "8", "TOCSIN_EVENT_QUEUE": "16"}


@pytest.fixture(scope="module")
async def small(database: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[Working]:
    """The installation under pressure."""
    site = Site(database, home, settings=FEW)
    root = await asyncpg.connect(database)
    with running_api(site) as process, running(site, "worker"):
        yield Working(site, process, Client(http, process.url), root)
    await root.close()


@pytest.fixture(scope="module")
async def crowded(small: Working) -> Project:
    return await sign_up(small.api, "Crowded")


@pytest.fixture(scope="module")
async def quiet(small: Working) -> Project:
    return await sign_up(small.api, "Quiet")
