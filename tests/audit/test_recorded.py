"""Every change of configuration or people leaves a row: who, what, on which, before and after."""

import json
from typing import Any

import asyncpg
import pytest

from tests.client import PASSWORD, Client, Project, sign_up


async def rows_of(sql: asyncpg.Connection, project: Project) -> list[dict[str, Any]]:
    rows = await sql.fetch("SELECT * FROM tocsin.audit_log WHERE project_id = $1 ORDER BY id", project.id)
    return [{**row, "metadata": json.loads(row["metadata"]) if row["metadata"] else None} for row in rows]


async def changes(project: Project) -> list[str]:
    """Every kind of change there is, once; the actions that must have been recorded, in order."""
    key = (await project.owner.post("/projects/me/api-keys", {"name": "k", "permissions": []})).json
    await project.owner.delete(f"/projects/me/api-keys/{key['id']}")
    await project.key.put("/projects/me", {"name": "Renamed"})
    role = (await project.key.post("/roles", {"name": "audited"})).json
    await project.key.put(f"/roles/{role['id']}", {"description": "x"})
    await project.key.delete(f"/roles/{role['id']}")
    user = (await project.key.post("/users", {"name": "Audited"})).json
    await project.key.put(f"/users/{user['id']}", {"name": "Changed"})
    address = (await project.key.post(f"/users/{user['id']}/addresses", {"channel": "sms", "value": "1"})).json
    await project.key.delete(f"/users/{user['id']}/addresses/{address['id']}")
    await project.key.delete(f"/users/{user['id']}")
    await project.key.post("/users/sync", {"users": [{"externalUserId": "s"}]})
    await project.app.post("/users/register", {"externalUserId": "r"})
    (pending,) = (await project.key.get("/users", externalUserId="r")).json["items"]
    await project.key.post(f"/users/{pending['id']}/approve")
    return [
        "project.created",
        "key.created",
        "key.revoked",
        "project.updated",
        "role.created",
        "role.updated",
        "role.deleted",
        "user.created",
        "user.updated",
        "address.created",
        "address.deleted",
        "user.deleted",
        "users.synced",
        "user.registered",
        "user.approved",
    ]


@pytest.fixture(scope="module")
async def audited(api: Client) -> tuple[Project, list[str]]:
    project = await sign_up(api, "Audited")
    return project, await changes(project)


async def test_every_change_is_recorded_in_order(audited: tuple[Project, list[str]], sql: asyncpg.Connection) -> None:
    project, actions = audited
    assert [row["action"] for row in await rows_of(sql, project)] == actions


async def test_a_row_says_who_from_where_and_what_changed(
    audited: tuple[Project, list[str]], sql: asyncpg.Connection
) -> None:
    project, _ = audited
    rows = {row["action"]: row for row in await rows_of(sql, project)}
    by_owner, by_key, by_app = rows["key.created"], rows["user.updated"], rows["user.registered"]
    assert (by_owner["actor_type"], by_owner["actor_id"]) == ("user", project.signed_up["user"]["id"])
    assert (by_key["actor_type"], by_key["actor_id"]) == ("key", project.signed_up["apiKeys"]["live"]["id"])
    assert by_app["actor_type"] == "public_key"
    assert by_key["metadata"]["before"]["name"] == "Audited"
    assert by_key["metadata"]["after"]["name"] == "Changed"
    assert by_key["resource_id"] == by_key["metadata"]["after"]["id"]
    for row in rows.values():
        assert row["ip_address"] == "127.0.0.1"
        assert row["request_id"].startswith("req_")
        assert row["env"] == "live"


async def test_no_secret_reaches_the_log(audited: tuple[Project, list[str]], sql: asyncpg.Connection) -> None:
    project, _ = audited
    written = str(await rows_of(sql, project))
    for secret in (PASSWORD, "sk_live_", "sk_test_", "is_live_", "rt_", "$argon2", "$2b$"):
        assert secret not in written


async def test_a_refused_change_leaves_no_row(api: Client, sql: asyncpg.Connection) -> None:
    project = await sign_up(api)
    before = len(await rows_of(sql, project))
    await project.key.post("/users", {"email": "wrong"})
    await project.key.post("/users", {"roles": ["owner"]})
    await project.key.post("/roles", {"name": "owner"})
    await project.test_key.put(f"/users/{project.signed_up['user']['id']}", {"name": "x"})
    assert len(await rows_of(sql, project)) == before


async def test_a_replayed_request_is_recorded_once(api: Client, sql: asyncpg.Connection) -> None:
    project = await sign_up(api)
    for _ in range(3):
        await project.key.post("/roles", {"name": "once"}, idempotency_key="k")
    assert [row["action"] for row in await rows_of(sql, project)].count("role.created") == 1


async def test_a_change_in_the_sandbox_is_recorded_as_such(two_projects: tuple[Project, Project], sql: Any) -> None:
    acme, rival = two_projects
    await acme.test_key.post("/roles", {"name": "sand-role"})
    assert [row["env"] for row in await rows_of(sql, acme) if row["action"] == "role.created"] == ["test"]
    assert not any(row["action"] == "role.created" for row in await rows_of(sql, rival))
