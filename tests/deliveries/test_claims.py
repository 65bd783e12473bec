"""What a claim costs does not follow from how much waits."""

from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from tocsin.kit.ids import new_id

PROJECT = new_id()
WAITING = 4_000
NOBODY = UUID(int=0)


@pytest.fixture(scope="module")
async def full(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A queue that fills up while its statistics still tell of an empty one."""
    sql = await asyncpg.connect(database)
    await sql.execute("ANALYZE")
    await sql.execute("SET plan_cache_mode = force_generic_plan")
    for ready in (True, False):
        await sql.executemany(
            "INSERT INTO tocsin.deliveries (project_id, env, id, channel, rank, ready, due_at)"
            " VALUES ($1, 'live', $2, 'webhook', 6, $3, now() - interval '1 minute')",
            [(PROJECT, new_id(), ready) for _ in range(WAITING)],
        )
    await sql.executemany(
        "INSERT INTO tocsin.events (project_id, env, id, type, payload) VALUES ($1, 'live', $2, 'order.created', '{}')",
        [(PROJECT, new_id()) for _ in range(WAITING)],
    )
    yield sql
    await sql.close()


@pytest.mark.parametrize(
    ("table", "claim"),
    [
        ("deliveries", f"claim_deliveries('{NOBODY}', 32, 16, 64, 60, '{new_id()}', '{{}}', '{{}}')"),
        ("deliveries", "ready_due_deliveries(16)"),
        ("events", f"claim_events('{NOBODY}', 16, 16, 60, '{new_id()}')"),
        ("events", f"claim_idle_events('{NOBODY}', 16, 16, 60, '{new_id()}', '{{}}')"),
    ],
)
async def test_a_claim_reads_little_where_much_waits(full: asyncpg.Connection, table: str, claim: str) -> None:
    rows = (
        "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
        " WHERE schemaname = 'tocsin' AND relname LIKE $1"
    )
    async with full.transaction():
        await full.fetch(f"SELECT * FROM tocsin.{claim}")
        read = await full.fetchval(rows, f"{table}_%")
        assert 0 < read < WAITING / 20, f"{read} rows for 16"


async def test_a_claim_passes_over_projects_that_are_busy(full: asyncpg.Connection) -> None:
    claim = "SELECT DISTINCT project_id FROM tocsin.claim_idle_events($1, 16, 4, 60, $2, $3)"
    other = new_id()
    async with full.transaction():
        await full.execute(
            "INSERT INTO tocsin.events (project_id, env, id, type, payload)"
            " VALUES ($1, 'live', $2, 'order.created', '{}')",
            other,
            new_id(),
        )
        both = await full.fetch(claim, NOBODY, new_id(), [])
        assert {row["project_id"] for row in both} == {PROJECT, other}
        assert await full.fetch(claim, NOBODY, new_id(), [PROJECT]) == []
        rest = await full.fetch(claim, NOBODY, new_id(), [other])
        assert {row["project_id"] for row in rest} == {PROJECT}


async def test_what_one_project_has_to_change_holds_up_nobody_else(full: asyncpg.Connection) -> None:
    other = new_id()
    async with full.transaction():
        await full.executemany(
            "INSERT INTO tocsin.amendments (project_id, env, delivery_id, due_at)"
            " VALUES ($1, 'live', $2, now() - interval '1 hour')",
            [(PROJECT, new_id()) for _ in range(300)],
        )
        await full.execute(
            "INSERT INTO tocsin.amendments (project_id, env, delivery_id) VALUES ($1, 'live', $2)", other, new_id()
        )
        claimed = await full.fetch("SELECT project_id FROM tocsin.claim_amendments(32, 8, 60)")
        assert Counter(row["project_id"] for row in claimed) == {PROJECT: 8, other: 1}
