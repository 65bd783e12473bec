"""Many projects and many rules, made in seconds: copies of what was made through the API, under ids of their own.

A sign-up costs two bcrypt hashes, an argon2 and a dozen statements; ten thousand of them take an hour. The copies are
whole where events pass: project, owner and roles, key, data key, connection, rules. Their keys are real ones, and
their secrets are sealed under their own data keys. What is cheaper than in a project that signed up is one thing, the
bcrypt hash of the secret, which a process checks once when it meets a key.
"""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import bcrypt

from bench.running import Installed
from tests.client import Project
from tocsin.auth.keys import new_key
from tocsin.kit.crypto import DataKey, bound
from tocsin.kit.ids import new_id
from tocsin.kit.vault import Vault

PROJECT_TABLES = (
    "projects",
    "data_keys",
    "api_keys",
    "users",
    "roles",
    "user_roles",
    "connections",
    "destinations",
    "rules",
    "rule_patterns",
    "rule_targets",
)
RULE_TABLES = ("rules", "rule_patterns", "rule_targets")
BCRYPT_COST = 4

Rows = dict[str, list[dict[str, Any]]]


async def copy_project(site: Installed, count: int) -> list[dict[str, str]]:
    """Copies of the installation's project beside it; the headers of each one's live key.

    All share the secret of the live key that is copied.
    """
    rows = await _rows(site, PROJECT_TABLES, "project_id", site.project_id)
    secret = site.project.key.headers["X-API-Secret"]
    hashed = await asyncio.to_thread(bcrypt.hashpw, secret.encode(), bcrypt.gensalt(BCRYPT_COST))
    for row in rows["api_keys"]:
        row["secret_hash"] = hashed.decode()
    credentials = await _credentials(site, rows)
    copies = [_project(site, rows, credentials) for _ in range(count)]
    await _write(site.superuser, PROJECT_TABLES, copies)
    keys = [next(row["key"] for row in copy["api_keys"] if row["env"] == "live") for copy in copies]
    return [{"X-API-Key": key, "X-API-Secret": secret} for key in keys]


async def copy_rule(site: Installed, project: Project, rule_id: UUID, types: list[str]) -> None:
    """Copies of a rule of one event type in its project, one for each of these types."""
    rows = await _rows(site, RULE_TABLES, "rule_id", rule_id)
    await _write(site.superuser, RULE_TABLES, [_rule(rows, UUID(project.id), type_) for type_ in types])


async def _rows(site: Installed, tables: tuple[str, ...], column: str, id_: UUID) -> Rows:
    """The rows of each table that belong to the id, or have it themselves where they are what it names."""
    owned = {"project_id": "projects", "rule_id": "rules"}[column]
    found = {}
    for table in tables:
        where = "id" if table == owned else column
        rows = await site.superuser.fetch(f"SELECT * FROM tocsin.{table} WHERE {where} = $1", id_)
        found[table] = [dict(row) for row in rows]
    return found


async def _credentials(site: Installed, rows: Rows) -> dict[UUID, str]:
    """What the connections' credentials say, by connection."""
    vault = Vault(site.site.master)
    return {
        row["id"]: await vault.open(
            site.superuser, row["project_id"], "connections", row["id"], "credentials", row["credentials"]
        )
        for row in rows["connections"]
    }


def _project(site: Installed, rows: Rows, credentials: dict[UUID, str]) -> Rows:
    ids = {row["id"]: new_id() for table in rows.values() for row in table if "id" in row}
    copy = _renamed(rows, ids)
    project = copy["projects"][0]
    project["slug"] = f"copy-{project['id'].hex}"
    key, wrapped = DataKey.new(site.site.master, project["id"], new_id())
    copy["data_keys"] = [{**copy["data_keys"][0], "id": key.id, "wrapped": wrapped}]
    for row in copy["api_keys"]:
        row["key"] = new_key(row["env"])
    for row, was in zip(copy["connections"], rows["connections"], strict=True):
        place = bound(project["id"], "connections", row["id"], "credentials")
        row["credentials"] = key.seal(credentials[was["id"]].encode(), place)
    return copy


def _rule(rows: Rows, project_id: UUID, type_: str) -> Rows:
    rule = rows["rules"][0]
    copy = _renamed(rows, {rule["id"]: new_id(), rule["project_id"]: project_id})
    copy["rules"][0]["event_types"] = [type_]
    copy["rule_patterns"][0]["pattern"] = type_
    return copy


def _renamed(rows: Rows, ids: dict[UUID, UUID]) -> Rows:
    """The same rows under other ids, wherever one of them stands."""
    return {
        table: [
            {name: ids.get(value, value) if isinstance(value, UUID) else value for name, value in row.items()}
            for row in each
        ]
        for table, each in rows.items()
    }


async def _write(connection: asyncpg.Connection, tables: tuple[str, ...], copies: list[Rows]) -> None:
    """All rows of each table in one go. Projects and owners refer to each other, so references are not checked."""
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        for table in tables:
            rows = [row for copy in copies for row in copy[table]]
            columns = list(rows[0]) if rows else []
            values = [list(row.values()) for row in rows]
            await connection.copy_records_to_table(table, schema_name="tocsin", columns=columns, records=values)
