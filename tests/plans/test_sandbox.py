"""The sandbox keeps its traffic for seven days, and nothing live goes with it (A2)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.running import Site
from tocsin.kit.db import Database
from tocsin.kit.ids import first_id_at
from tocsin.plans.sandbox import KEPT, SandboxStage

OLD, YOUNG = KEPT + timedelta(minutes=1), KEPT - timedelta(minutes=1)
TABLES = ("events", "notifications", "notification_recipients", "deliveries", "attempts")


@pytest.fixture
async def stage(site: Site) -> AsyncIterator[SandboxStage]:
    db = Database(site.app_url, ordinary=0, hot=2, statement_seconds=30)
    await db.start()
    yield SandboxStage(db)
    await db.close()


async def traffic(sql: asyncpg.Connection, project: Project, env: str, age: timedelta) -> None:
    """An event of that age with all that came of it."""
    id_, user = first_id_at(datetime.now(UTC) - age), project.signed_up["user"]["id"]
    await sql.execute(
        "INSERT INTO tocsin.events (project_id, id, env, type, payload) VALUES ($1, $2, $3, 'x', '{}')",
        project.id,
        id_,
        env,
    )
    await sql.execute(
        "INSERT INTO tocsin.notifications (project_id, id, env, title, message, priority, require_ack)"
        " VALUES ($1, $2, $3, 'x', '', 'normal', false)",
        project.id,
        id_,
        env,
    )
    await sql.execute(
        "INSERT INTO tocsin.notification_recipients (project_id, notification_id, user_id, env, feed_seq, reason)"
        " VALUES ($1, $2, $3, $4, 1, 'x')",
        project.id,
        id_,
        user,
        env,
    )
    await sql.execute(
        "INSERT INTO tocsin.deliveries (project_id, id, env, channel, rank) VALUES ($1, $2, $3, 'webhook', 0)",
        project.id,
        id_,
        env,
    )
    await sql.execute(
        "INSERT INTO tocsin.attempts (project_id, delivery_id, number, env, outcome, started_at, duration_ms)"
        " VALUES ($1, $2, 1, $3, 'ok', now(), 1)",
        project.id,
        id_,
        env,
    )


async def rows(sql: asyncpg.Connection, project: Project) -> dict[str, int]:
    found = {}
    for table in TABLES:
        query = f"SELECT count(*) FROM tocsin.{table} WHERE project_id = $1"
        found[table] = await sql.fetchval(query, project.id)
    return found


async def test_what_is_older_than_seven_days_goes_with_all_that_came_of_it(
    api: Client, sql: asyncpg.Connection, stage: SandboxStage
) -> None:
    shop = await sign_up(api, "Shop")
    await traffic(sql, shop, "test", OLD)
    assert await rows(sql, shop) == dict.fromkeys(TABLES, 1)
    while await stage.run_once():
        pass
    assert await rows(sql, shop) == dict.fromkeys(TABLES, 0)


async def test_what_is_younger_or_live_stays(api: Client, sql: asyncpg.Connection, stage: SandboxStage) -> None:
    shop = await sign_up(api, "Shop")
    await traffic(sql, shop, "test", YOUNG)
    await traffic(sql, shop, "live", OLD)
    while await stage.run_once():
        pass
    assert await rows(sql, shop) == dict.fromkeys(TABLES, 2)
