"""One row in every tenant table for a project, whatever the tables are: attacks must cover those of tomorrow too."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg

from tocsin.kit.ids import new_id

# What a column (of one table) needs that its type does not say: values that check constraints admit.
_VALUES: dict[str, Any] = {
    "env": "live",
    "status": "active",
    "owner": "user",
    "state": "queued",
    "priority": "normal",
    "health_status": "unknown",
    "purpose": "verify_email",
    "reachability.state": "reachable",
    "connection_checks.outcome": "ok",
    "event_types.mode": "off",
    "templates.kind": "notification",
}
# Columns that may be empty but must be filled here, because they refer to another row or a check wants one.
_FILLED = {
    "projects": ("owner_id",),
    "connections": ("user_id",),
    "rule_targets": ("role_id",),
    "deliveries": ("connection_project", "connection_id", "destination_id", "user_id"),
    "notifications": ("rule_id",),
}
_BY_TYPE: dict[str, Any] = {
    "integer": 1,
    "bigint": 1,
    "smallint": 1,
    "boolean": True,
    "text[]": ["x"],
    "json": "{}",
    "bytea": b"x",
}
_MOMENTS = ("timestamp with time zone", "date")
MOMENT = datetime.now(UTC)

_TABLES = """
SELECT c.relname::text AS name, ARRAY(
    SELECT DISTINCT f.confrelid::regclass::text FROM pg_constraint f
    WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid) AS parents
FROM pg_class c
WHERE c.relnamespace = 'tocsin'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> 'alembic_version' ORDER BY 1
"""
_COLUMNS = """
SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AND NOT a.atthasdef AS needed
FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_REFERENCES = """
SELECT k.conname::text AS name, k.conrelid::regclass::text AS child, k.confrelid::regclass::text AS parent,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS c (n, o)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.n ORDER BY c.o) AS columns
FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND k.connamespace = 'tocsin'::regnamespace
ORDER BY 1
"""


@dataclass
class Rows:
    """The rows of one project: by table, the values that were inserted."""

    project_id: uuid.UUID
    env: str
    of: dict[str, dict[str, Any]] = field(default_factory=dict)


async def tables(connection: asyncpg.Connection) -> list[str]:
    """Every tenant table, parents before children."""
    waiting = {row["name"]: set(row["parents"]) for row in await connection.fetch(_TABLES)}
    ordered: list[str] = []
    while waiting:
        ready = [name for name, parents in waiting.items() if parents <= {f"tocsin.{done}" for done in ordered}]
        assert ready, f"tables refer to each other in a circle: {sorted(waiting)}"
        ordered += ready
        waiting = {name: parents for name, parents in waiting.items() if name not in ready}
    return ordered


async def references(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Every foreign key of the schema: name, child, parent, columns."""
    return list(await connection.fetch(_REFERENCES))


async def fill(superuser: asyncpg.Connection, mark: str, env: str = "live") -> Rows:
    """A project with one row in every table; texts carry ``mark``."""
    rows = Rows(new_id(), env)
    for table in await tables(superuser):
        await insert(superuser, table, rows.project_id, rows, mark)
    return rows


async def insert(
    connection: asyncpg.Connection, table: str, project_id: uuid.UUID, rows: Rows, mark: str
) -> dict[str, Any]:
    """Insert a row of this project that refers to the other rows of ``rows``, and note it there."""
    values = await row_for(connection, table, project_id, rows, mark)
    marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await connection.execute(f"INSERT INTO tocsin.{table} ({', '.join(values)}) VALUES ({marks})", *values.values())
    rows.of[table] = values
    return values


async def row_for(
    connection: asyncpg.Connection, table: str, project_id: uuid.UUID, rows: Rows, mark: str
) -> dict[str, Any]:
    parents = {
        column: rows.of[reference["parent"].removeprefix("tocsin.")]["id"]
        for reference in await references(connection)
        if reference["child"] == f"tocsin.{table}" and reference["parent"].removeprefix("tocsin.") in rows.of
        for column in reference["columns"][1:]
    }
    values: dict[str, Any] = {}
    for column in await connection.fetch(_COLUMNS, f"tocsin.{table}"):
        name = column["name"]
        if not (column["needed"] or name in _FILLED.get(table, ()) or name in ("env", "slug")):
            continue
        values[name] = parents.get(name, _value(name, column["type"], project_id, table, rows, mark))
    return values


def _value(name: str, type_: str, project_id: uuid.UUID, table: str, rows: Rows, mark: str) -> Any:
    if name in ("project_id", "connection_project") or (table == "projects" and name == "id"):
        return project_id
    if name == "env":
        return rows.env
    if type_ == "text" and (known := _VALUES.get(f"{table}.{name}", _VALUES.get(name))):
        return known
    if type_ == "uuid":
        return new_id()
    if type_ == "text":
        return f"{mark}-{new_id()}"
    if type_ in _MOMENTS:
        return MOMENT
    return _BY_TYPE[type_]
