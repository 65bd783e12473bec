"""What a look costs follows what is due or asked for, not what waits or lies there: blocks touched, counted (R3)."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.running import Site
from tocsin.kit.ids import PLATFORM_ID
from tocsin.rules.past import SCANNED_AT_ONCE, scan_statement

FEW, MANY = 1_000, 20_000
DUE = 10
DEEPER = 8
"""Blocks more that a deeper index may cost."""

_WAIT = """
INSERT INTO tocsin.insistences (project_id, env, notification_id, rank, personal, instant, steps, every_seconds,
    most_times, repeats_at, due_at)
SELECT $1, 'live', tocsin.new_id(), 2, '[]', '{}', '[]', 600, 3, now() + $3, now() + $3
FROM generate_series(1, $2)
"""
_EVENTS = """
INSERT INTO tocsin.events (project_id, id, env, type, payload, state)
SELECT $1, tocsin.new_id(), 'live', 'common', '{}', 'processed' FROM generate_series(1, $2)
"""


@pytest.fixture
async def root(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database, server_settings={"plan_cache_mode": "force_generic_plan"})
    yield connection
    await connection.close()


@pytest.mark.parametrize("look", ["SELECT * FROM tocsin.due_insistences(2000)", "SELECT tocsin.insists_in()"])
async def test_a_look_for_what_insists_costs_what_is_due(root: asyncpg.Connection, look: str) -> None:
    await root.execute("TRUNCATE tocsin.insistences")
    await root.execute(_WAIT, PLATFORM_ID, DUE, timedelta(minutes=-1))
    await root.execute(_WAIT, PLATFORM_ID, FEW, timedelta(hours=1))
    few = await touched(root, look)
    await root.execute(_WAIT, PLATFORM_ID, MANY - FEW, timedelta(hours=1))
    assert await touched(root, look) <= few + DEEPER
    # Though the statistics now tell of the many, and of none due.
    await root.execute("VACUUM ANALYZE tocsin.insistences")
    assert await touched(root, look) <= few + DEEPER


async def test_a_portion_of_a_replay_costs_the_same_wherever_it_begins(database: str, home: Path) -> None:
    """As the application sees it, behind its walls."""
    installer = await asyncpg.connect(database)
    await installer.execute(_EVENTS, PLATFORM_ID, 2 * SCANNED_AT_ONCE)
    few = await scanned(database, home)
    await installer.execute(_EVENTS, PLATFORM_ID, 4 * MANY)
    await installer.execute("VACUUM ANALYZE tocsin.events")
    await installer.close()
    assert await scanned(database, home) <= few * 2


async def scanned(database: str, home: Path) -> int:
    app = await asyncpg.connect(Site(database, home).app_url)
    try:
        async with app.transaction():
            await app.execute(f"SELECT set_config('tocsin.project', '{PLATFORM_ID}', true)")
            await app.execute("SELECT set_config('tocsin.env', 'live', true)")
            zero, end = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
            query = scan_statement("live")
            for number, value in enumerate((PLATFORM_ID, zero, end), 1):
                query = query.replace(f"${number}", f"'{value}'")
            return await touched(app, query.replace("$4", str(SCANNED_AT_ONCE)))
    finally:
        await app.close()


async def touched(connection: asyncpg.Connection, query: str) -> int:
    """Blocks that a statement touched, those of the functions it calls included; the second time, when all is known."""
    for _ in range(2):
        answer: Any = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")
    plan = json.loads(answer)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
