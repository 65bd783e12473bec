"""The log as a file, page by page: memory holds one page, and no transaction is open while the reader is slow."""

from collections.abc import AsyncIterator, Sequence
from typing import Literal
from uuid import UUID

import msgspec

from tocsin.audit.models import AuditEntry
from tocsin.audit.query import Filters, entries
from tocsin.audit.schemas import AuditAnswer, shown
from tocsin.kit import spreadsheet
from tocsin.kit.db import Database, Env

Format = Literal["csv", "jsonl"]

PAGE = 500

COLUMNS = tuple(str(field.alias) for field in AuditAnswer.model_fields.values())


async def export(db: Database, project_id: UUID, env: Env, filters: Filters, format_: Format) -> AsyncIterator[bytes]:
    """The entries of a project, newest first, as CSV with a line of names, or as one JSON object a line.

    What is written meanwhile is newer than the first page, so the file has an end.
    """
    if format_ == "csv":
        yield (spreadsheet.BYTE_ORDER_MARK + spreadsheet.row(COLUMNS)).encode()
    line = _csv_line if format_ == "csv" else _json_line
    last: UUID | None = None
    while rows := await _page(db, project_id, env, filters, last):
        yield "".join(line(shown(row)) for row in rows).encode()
        if len(rows) < PAGE:
            return
        last = rows[-1].id


async def _page(db: Database, project_id: UUID, env: Env, filters: Filters, last: UUID | None) -> Sequence[AuditEntry]:
    query = entries(filters)
    if last is not None:
        query = query.where(AuditEntry.id < last)
    async with db.scope(project_id, env) as session:
        return (await session.scalars(query.order_by(AuditEntry.id.desc()).limit(PAGE))).all()


def _csv_line(entry: AuditAnswer) -> str:
    values = entry.model_dump(mode="json", by_alias=True)
    if entry.metadata is not None:
        values["metadata"] = msgspec.json.encode(entry.metadata).decode()
    return spreadsheet.row(values.values())


def _json_line(entry: AuditAnswer) -> str:
    return entry.model_dump_json(by_alias=True) + "\n"
