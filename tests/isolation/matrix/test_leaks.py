"""The matrix sees a leak where there is one: with a wall taken down, the very calls that prove it fail."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.client import Client
from tests.isolation.matrix.answers import assert_answers_alike
from tests.isolation.matrix.cases import CASES
from tests.isolation.matrix.checksums import checksums
from tests.isolation.matrix.seeds import Scene, seeded
from tests.pipeline import Working
from tests.running import Site, running_api

BY_NAME = {case.operation: case for case in CASES}


@pytest.fixture(scope="module")
async def leaky(database: str, home: Path, http: aiohttp.ClientSession) -> AsyncIterator[tuple[Scene, Scene]]:
    """Two projects of an installation whose users every project can read and change."""
    sql = await asyncpg.connect(database)
    site = Site(database, home)
    for policy in ("tenant_read", "tenant_update"):
        await sql.execute(f"ALTER POLICY {policy} ON tocsin.users USING (true)")
    await sql.execute("ALTER POLICY tenant_update ON tocsin.users WITH CHECK (true)")
    with running_api(site) as process:
        working = Working(site, process, Client(http, process.url), sql)
        hook = "http://127.0.0.1:9/hook"
        yield await seeded(working, "Acme", hook, traffic=False), await seeded(working, "Rival", hook, traffic=False)
    await sql.close()


async def test_a_row_that_can_be_read_shows(leaky: tuple[Scene, Scene]) -> None:
    acme, rival = leaky
    ask = await BY_NAME["read_user"].ask(acme)
    (place,) = ask.places()
    with pytest.raises(AssertionError):
        await assert_answers_alike(ask, place, acme.project.owner, rival, rival.canaries)


async def test_a_row_that_can_be_changed_shows(leaky: tuple[Scene, Scene]) -> None:
    acme, rival = leaky
    before = await checksums(rival.working.sql, rival.project.id)
    await acme.project.owner.put(f"/users/{rival.ids['user']}", {"name": "Somebody else"})
    assert await checksums(rival.working.sql, rival.project.id) != before
