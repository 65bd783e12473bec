"""80 and 100 percent are told once: an audit row, and an event that rules can use (Q2, R7)."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from tests.client import Project, sign_up
from tests.pipeline import Working, ended, send_event, until
from tests.plans.build import counters, in_force, put_on, send, send_batch
from tocsin.kit import broker as brokers
from tocsin.kit.db import Database
from tocsin.kit.vault import Vault
from tocsin.plans.notices import NoticeStage


@pytest.fixture
async def shop(working: Working) -> Project:
    return await sign_up(working.api, "Shop")


async def told(sql: asyncpg.Connection, project: Project, count: int) -> list[dict[str, Any]]:
    """The payloads of the project's own events of quotas, once there are so many."""

    async def look() -> list[Any]:
        rows = await sql.fetch(
            "SELECT type, payload FROM tocsin.events WHERE project_id = $1 AND internal ORDER BY id", project.id
        )
        return [{"type": row["type"], **json.loads(row["payload"])} for row in rows] if len(rows) >= count else []

    return await until(look)


async def mailed(sql: asyncpg.Connection, project: Project) -> list[tuple[str, str]]:
    rows = await sql.fetch(
        "SELECT kind, state FROM tocsin.mails WHERE project_id = $1 AND kind LIKE 'quota%' ORDER BY kind", project.id
    )
    return [tuple(row) for row in rows]


async def test_each_mark_is_told_once(shop: Project, working: Working) -> None:
    await put_on(working.sql, shop, "free", quotas={"events": 10})
    await send_batch(shop.key, *[None] * 7)
    assert await working.sql.fetchval("SELECT count(*) FROM tocsin.quota_notices WHERE project_id = $1", shop.id) == 0
    await send_batch(shop.key, None)
    [warning] = await told(working.sql, shop, 1)
    assert (warning["type"], warning["quota"], warning["used"], warning["limit"], warning["percent"]) == (
        "tocsin.quota.warning",
        "events",
        8,
        10,
        80,
    )
    await send_batch(shop.key, *[None] * 5)
    await asyncio.gather(*(send(shop.key) for _ in range(10)))
    both = await told(working.sql, shop, 2)
    assert [each["type"] for each in both] == ["tocsin.quota.warning", "tocsin.quota.exceeded"]
    assert (await counters(working.sql, shop))["events"] == 10


async def test_it_stands_in_the_audit_log(shop: Project, working: Working) -> None:
    await put_on(working.sql, shop, "free", quotas={"events": 1})
    await send(shop.key)
    await told(working.sql, shop, 2)
    rows = await working.sql.fetch(
        "SELECT action, actor_type, resource_id FROM tocsin.audit_log WHERE project_id = $1 AND action LIKE 'quota.%'"
        " ORDER BY action",
        shop.id,
    )
    assert [tuple(row) for row in rows] == [
        ("quota.exceeded", "system", "events"),
        ("quota.warning", "system", "events"),
    ]


async def test_a_rule_hears_of_it_where_nothing_else_gets_through(shop: Project, working: Working) -> None:
    """The event and its notification count towards nothing, and so cannot raise the next one. The rule is the one that
    every project begins with."""
    await put_on(working.sql, shop, "free", quotas={"events": 1, "notifications": 0})
    await send_event(shop.key)
    await told(working.sql, shop, 2)
    ids = await working.sql.fetch("SELECT id FROM tocsin.events WHERE project_id = $1 AND internal", shop.id)
    assert {(await ended(shop.key, str(id_), "realtime"))["state"] for (id_,) in ids} == {"sent"}
    assert (await counters(working.sql, shop))["events"] == 1
    assert len(await told(working.sql, shop, 2)) == 2


async def test_several_tellers_tell_once(shop: Project, working: Working) -> None:
    db = Database(working.site.app_url, ordinary=4, hot=4, statement_seconds=10)
    await db.start()
    broker = brokers.connect(None, db.url)
    await broker.start()
    try:
        await put_on(working.sql, shop, "free", quotas={"events": 1})
        await send(shop.key)
        vault = Vault(working.site.master)
        await asyncio.gather(*(NoticeStage(db, broker, vault).run_once() for _ in range(8)))
    finally:
        await broker.close()
        await db.close()
    assert len(await told(working.sql, shop, 2)) == 2
    assert await mailed(working.sql, shop) == [("quota_exceeded", "queued"), ("quota_warning", "queued")]


async def test_its_mails_wait_where_there_is_no_mail_server(shop: Project, working: Working) -> None:
    await put_on(working.sql, shop, "free", quotas={"events": 1})
    await send(shop.key)
    await told(working.sql, shop, 2)
    assert await mailed(working.sql, shop) == [("quota_exceeded", "queued"), ("quota_warning", "queued")]


async def test_it_is_told_where_no_mail_can_be_written(shop: Project, working: Working) -> None:
    """One project whose key is gone does not keep the others waiting for ever."""
    await put_on(working.sql, shop, "free", quotas={"events": 1})
    await working.sql.execute("DELETE FROM tocsin.data_keys WHERE project_id = $1", shop.id)
    await send(shop.key)
    assert len(await told(working.sql, shop, 2)) == 2
    assert await mailed(working.sql, shop) == []


async def test_a_limit_below_what_was_used_is_told_with_the_next_refusal(shop: Project, working: Working) -> None:
    assert [(await send(shop.key)).status for _ in range(3)] == [202] * 3
    await put_on(working.sql, shop, "free", quotas={"events": 2})
    await in_force()
    assert (await send(shop.key)).status == 429
    assert {each["percent"] for each in await told(working.sql, shop, 2)} == {80, 100}


async def test_another_project_hears_nothing(shop: Project, working: Working) -> None:
    rival = await sign_up(working.api, "Rival")
    await put_on(working.sql, shop, "free", quotas={"events": 1})
    await send(shop.key)
    await told(working.sql, shop, 2)
    assert (await rival.owner.get("/events")).json["items"] == []
