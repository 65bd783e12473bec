"""A project as a file: every row of it, nobody else's, and no secret (T7)."""

import json
import re
import uuid
from typing import Any

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.connections.build import make_hook
from tests.isolation.rows import Rows, insert, tables
from tests.operators import Operator
from tests.pipeline import make_rule, send_events

KEPT_BY_PROCESSES = ("api_calls", "call_windows", "seen_event_types")
"""Written a moment after the call, whatever that was."""

SEALED = re.compile(r"v1\.[0-9a-f-]{36}\.")


async def exported(caller: Client, path: str = "/projects/me/export") -> list[Any]:
    async with caller.http.get(f"{caller.base}/api/v1{path}", headers=caller.headers) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/x-ndjson"
        text = await answer.text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


async def test_the_file_has_every_row_of_every_table(
    api: Client, shop: Project, rival: Project, sql: asyncpg.Connection
) -> None:
    for project in (shop, rival):
        await make_hook(project.key)
        await make_rule(project, "webhook")
        await send_events(project.key, *({"n": number} for number in range(250)))
        await send_events(project.test_key, {"n": 0})
    first, *rows, last = await exported(shop.owner)
    assert (first["export"], first["projectId"]) == (1, shop.id)
    assert last == {"end": True, "rows": len(rows)}
    counted: dict[str, int] = {}
    for row in rows:
        if row["table"] in KEPT_BY_PROCESSES:
            continue
        counted[row["table"]] = counted.get(row["table"], 0) + 1
        assert row["row"].get("projectId", row["row"].get("id")) == shop.id
    assert counted.pop("projects") == 1
    there = {}
    for table in await tables(sql):
        if table not in ("projects", *KEPT_BY_PROCESSES):
            there[table] = await sql.fetchval(f"SELECT count(*) FROM tocsin.{table} WHERE project_id = $1", shop.id)
    assert counted == {table: count for table, count in there.items() if count}
    assert counted["events"] == 251
    events = [row["row"] for row in rows if row["table"] == "events"]
    assert {event["payload"]["n"] for event in events if event["env"] == "live"} == set(range(250))


async def test_a_row_in_any_table_is_in_the_file(shop: Project, sql: asyncpg.Connection) -> None:
    """Those of later versions too: one is put into each table that there is."""
    mark = Rows(uuid.UUID(shop.id), "live", {"projects": {"id": uuid.UUID(shop.id)}})
    for table in await tables(sql):
        if table not in ("projects", "identity_secrets", "realtime_apps", "revocations"):
            await insert(sql, table, mark.project_id, mark, f"mark-{table}")
    found = {row.get("table") for row in await exported(shop.owner)}
    assert set(mark.of) <= found


async def test_no_secret_is_in_the_file(api: Client, shop: Project) -> None:
    await make_hook(shop.key)
    await shop.owner.post("/projects/me/api-keys", {"name": "n", "permissions": []}, Idempotency_Key="keyed")
    lines = await exported(shop.owner)
    text = json.dumps(lines)
    pairs = shop.signed_up["apiKeys"].values()
    for secret in [
        *(pair["secret"] for pair in pairs),
        *shop.signed_up["identitySecrets"].values(),
        *(realtime["secret"] for realtime in shop.signed_up["realtime"].values()),
        "$argon2id$",
        "$2b$",
        "whsec_",
    ]:
        assert secret not in text
    assert not SEALED.search(text)
    columns = {name for line in lines for name in line.get("row", ())}
    assert not columns & {"passwordHash", "secretHash", "secretMac", "credentials", "nonce", "wrapped", "secret"}
    assert all(pair["key"] in text for pair in pairs), "public keys are none"


async def test_the_export_is_on_the_record(shop: Project, root: Operator, sql: asyncpg.Connection) -> None:
    await exported(shop.owner)
    await exported(root.client, f"/platform/projects/{shop.id}/export")
    rows = await sql.fetch(
        "SELECT actor_type FROM tocsin.audit_log WHERE project_id = $1 AND action = 'project.exported' ORDER BY id",
        shop.id,
    )
    assert [row["actor_type"] for row in rows] == ["user", "platform_admin"]
    (entry,) = (await root.client.get("/platform/audit", action="project.exported", resourceId=shop.id)).json["items"]
    assert entry["actorId"] == root.id


async def test_the_operator_gets_the_same_rows(shop: Project, root: Operator) -> None:
    mine = await exported(shop.owner)
    theirs = await exported(root.client, f"/platform/projects/{shop.id}/export")
    beside = ("audit_log", "sessions", "api_keys", *KEPT_BY_PROCESSES)

    def compared(lines: list[Any]) -> list[Any]:
        return [line for line in lines if "table" in line and line["table"] not in beside]

    assert compared(mine) == compared(theirs)


@pytest.mark.parametrize("env", ["live", "test"])
async def test_the_environment_of_the_caller_does_not_matter(shop: Project, env: str) -> None:
    caller = shop.owner.with_headers(X_Tocsin_Env=env)
    lines = await exported(caller)
    assert sum(line.get("table") == "users" for line in lines) == 1


async def test_a_text_that_looks_sealed_is_no_reason_to_lose_an_event(api: Client) -> None:
    other = await sign_up(api, "Looks")
    sealed = "v1.0199a000-0000-7000-8000-000000000001.AAAA.BBBB"
    await send_events(other.key, {"note": sealed})
    (event,) = [line["row"] for line in await exported(other.owner) if line.get("table") == "events"]
    assert event["payload"] == {"note": sealed}
