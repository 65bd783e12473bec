"""What hot statements read does not grow with what lies there, whatever the statistics say."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tocsin.kit.ids import PLATFORM_ID, new_id

WAITING = 20_000
FEW_BLOCKS = 600
"""A claim of ten rows touches fewer; one that reads the whole backlog touches thousands."""

CLAIMS = {
    "events": (
        "INSERT INTO tocsin.events (project_id, id, env, type, payload)"
        " SELECT $1, (substr($2, 1, 24) || lpad(to_hex(n), 12, '0'))::uuid, 'live', 'x', '{}'"
        " FROM generate_series(1, $3::bigint) n",
        "SELECT * FROM tocsin.claim_events('00000000-0000-0000-0000-000000000000', 1, 10, 60, gen_random_uuid())",
    ),
    "deliveries": (
        "INSERT INTO tocsin.deliveries (project_id, id, env, channel, rank)"
        " SELECT $1, (substr($2, 1, 24) || lpad(to_hex(n), 12, '0'))::uuid, 'live', 'webhook', 2"
        " FROM generate_series(1, $3::bigint) n",
        "SELECT * FROM tocsin.claim_deliveries('00000000-0000-0000-0000-000000000000', 1, 10, 10, 60,"
        " gen_random_uuid(), '{}', '{}')",
    ),
}


@pytest.fixture
async def root(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database, server_settings={"plan_cache_mode": "force_generic_plan"})
    yield connection
    await connection.close()


@pytest.mark.parametrize("table", CLAIMS)
async def test_a_claim_from_a_backlog_reads_what_it_claims_though_statistics_know_of_no_backlog(
    root: asyncpg.Connection, table: str
) -> None:
    fill, claim = CLAIMS[table]
    await root.execute(fill, PLATFORM_ID, str(new_id()), WAITING)
    await root.execute(f"UPDATE tocsin.{table} SET state = '{ENDED[table]}'")
    await root.execute(f"VACUUM ANALYZE tocsin.{table}")
    await root.execute(fill, PLATFORM_ID, str(new_id()), WAITING)
    await blocks(root, claim)
    touched = await blocks(root, claim)
    assert touched < FEW_BLOCKS


ENDED = {"events": "processed", "deliveries": "sent"}


async def blocks(root: asyncpg.Connection, query: str) -> int:
    """Blocks that a statement touched, those of the functions it calls included."""
    answer: Any = await root.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")
    plan = json.loads(answer)[0]["Plan"]
    assert plan["Actual Rows"] == 10
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
