"""Everything a project has, line by line, without its secrets (T7).

The first line says what this is, the last one how many rows there were, so that a file that was cut off shows it.
Rows are read in small batches, each in a transaction of its own: memory stays the same however large the project is,
and a slow reader holds no connection. What changes meanwhile may be in the file as it was or as it is.
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from fastapi.responses import StreamingResponse
from pydantic.alias_generators import to_camel
from sqlalchemy import TextClause, text

from tocsin.kit.db import Database, Env
from tocsin.kit.schema import iso
from tocsin.kit.tenant_tables import Column, TenantTable, tenant_tables

MEDIA_TYPE = "application/x-ndjson"
ROWS_AT_ONCE = 100
"""An event has up to 256 KiB, so a batch stays below 26 MB, and is usually a few kilobytes."""

_SECRET_NAME = re.compile(r"secret|credential|password|hash|token|nonce|wrapped|sealed|recovery|response")
_SEALED = re.compile(rb'"v1\.[0-9a-f]{8}-[0-9a-f-]{27}\.[\w-]+\.[\w-]+"')
_NULL = msgspec.Raw(b"null")
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def as_file(db: Database, project_id: UUID, slug: str) -> StreamingResponse:
    """The rows of a project, read while they are sent."""
    return StreamingResponse(
        exported(db, project_id),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{slug}.jsonl"', "Cache-Control": "no-store"},
    )


async def exported(db: Database, project_id: UUID) -> AsyncIterator[bytes]:
    """The lines of the file."""
    async with db.scope(project_id, "live") as session:
        tables = await tenant_tables(session)
        project = await session.scalar(_PROJECT)
    yield _line({"export": 1, "projectId": str(project_id), "at": iso(datetime.now(UTC))})
    yield _told("projects", project)
    count = 1
    for table in tables:
        for env in _environments(table):
            async for row in _rows(db, project_id, table, env):
                yield _told(table.name, row)
                count += 1
    yield _line({"end": True, "rows": count})


_PROJECT = text("""
SELECT json_build_object('id', id, 'name', name, 'description', description, 'slug', slug, 'status', status,
    'plan', plan, 'overrides', overrides, 'trialEndsAt', trial_ends_at, 'region', region, 'ownerId', owner_id,
    'settings', settings, 'branding', branding, 'createdAt', created_at, 'updatedAt', updated_at)::text
FROM tocsin.projects
""")


def _environments(table: TenantTable) -> tuple[Env, ...]:
    """A test scope also sees live rows of some tables; the column says which is which."""
    return ("live", "test") if table.has_env else ("live",)


async def _rows(db: Database, project_id: UUID, table: TenantTable, env: Env) -> AsyncIterator[str]:
    first, following = _queries(table)
    bound: dict[str, Any] = {"project": project_id, "most": ROWS_AT_ONCE, **({"env": env} if table.has_env else {})}
    query = first
    while True:
        async with db.scope(project_id, env) as session:
            found = (await session.execute(query, bound)).all()
        for row in found:
            yield row[-1]
        if len(found) < ROWS_AT_ONCE:
            return
        bound |= {f"k{number}": value for number, value in enumerate(found[-1][:-1])}
        query = following


def _queries(table: TenantTable) -> tuple[TextClause, TextClause]:
    """The first batch of a table and every later one. Names come quoted from the catalogue; all else is bound."""
    shown = ", ".join(f'{column.quoted} AS "{to_camel(column.name)}"' for column in table.columns if _shows(column))
    place, env = ", ".join(table.key), "AND env = :env" if table.has_env else ""
    last = ", ".join(f":k{number}" for number in range(len(table.key)))
    head = (
        f"SELECT {place}{',' if place else ''} (SELECT row_to_json(r) FROM (SELECT {shown}) r)::text"  # noqa: S608
        f" FROM {table.quoted} WHERE project_id = :project {env}"
    )
    tail = f" ORDER BY {place} LIMIT :most" if place else " LIMIT :most"
    return text(head + tail), text(f"{head} AND ({place}) > ({last}){tail}" if place else head + tail)


def _shows(column: Column) -> bool:
    return column.type != "bytea" and not _SECRET_NAME.search(column.name)


def _told(table: str, row: str | None) -> bytes:
    """A line; a value that is sealed is left empty, whatever its column is called."""
    fields = _fields.decode(row or "{}")
    shown = {name: _NULL if _SEALED.fullmatch(bytes(raw)) else raw for name, raw in fields.items()}
    return _line({"table": table, "row": shown})


def _line(value: Any) -> bytes:
    return msgspec.json.encode(value) + b"\n"
