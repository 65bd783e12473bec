"""Saving an event type: schema and example are checked together, and every process hears of it."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.revocation import revoke
from tocsin.event_types.models import EventType
from tocsin.event_types.schema import Schema, check
from tocsin.event_types.weight import weigh
from tocsin.kit.db import violated
from tocsin.kit.errors import Conflict, FieldError, Invalid

MOST_TYPES = 500
MOST_BYTES = 4 * 1024 * 1024
"""Of all schemas of a project and environment, which every API process may come to hold."""
CHANGED = "event_types"
"""The revocation that has processes look again."""


async def save(session: AsyncSession, project_id: UUID, row: EventType) -> None:
    """Write a new or changed type. Raises Invalid with every mistake at its place, Conflict for a name that is taken
    and for one too many."""
    row.weight = await asyncio.to_thread(_checked, row)
    await session.execute(_LOCK, {"name": f"event types:{project_id}"})
    session.add(row)
    try:
        await session.flush()
    except IntegrityError as error:
        if violated(error) == "event_types_name_taken":
            raise Conflict("event_type_exists", "There is already an event type of this name.") from None
        raise
    await _refuse_too_many(session, row.env)
    await tell(session, row)


async def tell(session: AsyncSession, row: EventType) -> None:
    """Have every process look again, once this transaction is committed."""
    await revoke(session, row.project_id, CHANGED, row.name)


def _checked(row: EventType) -> int:
    """The weight of the schema, 1 where there is none. Raises Invalid. Up to 0.1 s, so not on the loop."""
    errors = _mistakes(row.schema, row.example, row.mode)
    if errors:
        raise Invalid(errors)
    return weigh(row.schema) if row.schema is not None else 1


def _mistakes(schema: dict[str, Any] | None, example: dict[str, Any] | None, mode: str) -> list[FieldError]:
    if schema is None:
        words = "Without a schema nothing can be judged."
        return [FieldError("/mode", "needs_schema", words)] if mode != "off" else []
    if errors := check(schema, "/schema"):
        return errors
    if example is None:
        return []
    size = len(msgspec.json.encode(example))
    return Schema(msgspec.json.encode(schema), weigh(schema)).faults(example, size, "/example")


async def _refuse_too_many(session: AsyncSession, env: str) -> None:
    count, size = (await session.execute(_SIZE, {"env": env})).one()
    if count > MOST_TYPES:
        raise Conflict("too_many_event_types", f"A project has {MOST_TYPES} event types at most.")
    if size > MOST_BYTES:
        raise Conflict("schemas_too_large", f"All schemas together have {MOST_BYTES // 1024**2} MiB at most.")


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_SIZE = text("""
SELECT count(*), coalesce(sum(length(CAST(schema AS text))), 0) FROM tocsin.event_types WHERE env = :env
""")
