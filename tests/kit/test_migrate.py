"""Indexes on large tables, built while others write (O5)."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from tests import running
from tests.engines import fresh_database
from tocsin.kit import migrate as migrating
from tocsin.kit.crypto import MasterKey
from tocsin.kit.migrate import folder, newest
from tocsin.kit.postgres import Running
from tocsin.kit.roles import Roles

OF = "(project_id, channel) WHERE channel = 'fax'"
VERSION = f'''
from tocsin.kit.migrate import build_index

revision = "later"
down_revision = "{newest()}"


def upgrade() -> None:
    build_index("deliveries_fax", "deliveries", "{OF}")
    build_index("addresses_fax", "addresses", "{OF}")
'''
WRITE = """
INSERT INTO tocsin.deliveries (project_id, id, env, channel, rank, state)
VALUES ('00000000-0000-7000-8000-000000000000', gen_random_uuid(), 'live', 'fax', 2, 'cancelled')
"""
BUILDING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active'"
INDEXES = """
SELECT c.relname, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
WHERE c.relname LIKE '%fax%'
"""

Migrate = Callable[[], Awaitable[str]]


@pytest.fixture
async def url(cluster: Running, template: str) -> AsyncIterator[str]:
    async with fresh_database(cluster, template) as url:
        yield url


@pytest.fixture
async def sql(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


@pytest.fixture
def migrate(url: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Migrate:
    """The history with one migration more."""
    shutil.copytree(folder(), tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "later.py").write_text(VERSION)
    monkeypatch.setattr(migrating, "folder", lambda: tmp_path / "migrations")
    master = MasterKey.load(running.MASTER_SECRET, home)
    return lambda: migrating.migrate(url, Roles(), master)


async def test_nobody_who_writes_waits_for_an_index(migrate: Migrate, url: str, sql: asyncpg.Connection) -> None:
    await sql.execute(WRITE)
    other = await asyncpg.connect(url)
    long = sql.transaction()
    await long.start()
    await sql.execute(WRITE)
    migration = asyncio.ensure_future(migrate())
    while not await other.fetchval(BUILDING):
        assert not migration.done(), "it did not wait for the transaction before it"
        await asyncio.sleep(0.02)
    await other.execute(f"SET lock_timeout = '1s'; {WRITE}")
    await long.commit()
    assert await migration == "later"
    found = dict(await other.fetch(INDEXES))
    assert {"deliveries_fax", "deliveries_fax_other", "addresses_fax"} <= found.keys() and all(found.values())
    assert await other.fetchval("SELECT count(*) FROM tocsin.deliveries WHERE channel = 'fax'") == 3
    await other.close()


async def test_what_an_interrupted_run_left_is_built_anew(migrate: Migrate, sql: asyncpg.Connection) -> None:
    await sql.execute(f"CREATE INDEX deliveries_fax_other ON tocsin.deliveries_other {OF}")
    await sql.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'tocsin.deliveries_fax_other'::regclass"
    )
    assert await migrate() == "later"
    assert all(dict(await sql.fetch(INDEXES)).values())


async def test_two_migrations_of_one_database_take_turns(migrate: Migrate) -> None:
    assert await asyncio.gather(migrate(), migrate()) == ["later", "later"]
