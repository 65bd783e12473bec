"""Putting back what an import has changed, all of it or nothing."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.connections.models import Connection
from tocsin.imports.kept import Change, Import, opened
from tocsin.imports.snapshot import NOTED, Snapshot, differing, put_back, shown_on_record, snapshot_of
from tocsin.imports.work import Work


class ChangedSince(Exception):
    """Somebody has changed what the import left; each of ``what`` says which connection and how."""

    def __init__(self, what: list[str]) -> None:
        super().__init__("; ".join(what))
        self.what = what


async def find_import(session: AsyncSession, import_id: UUID) -> Import | None:
    """An import of the project, locked until the end of the transaction."""
    return (await session.scalars(select(Import).where(Import.id == import_id).with_for_update())).one_or_none()


async def roll_back(work: Work, row: Import) -> list[str]:
    """Put everything back as it was before; what was done, in words. Raises ChangedSince and Unreadable.

    Nothing happens for an import that was put back already.
    """
    if row.rolled_back_at is not None:
        return []
    changes = await opened(work, row)
    present = [(change, await _locked(work, change.connection_id)) for change in changes]
    if what := [words for change, connection in present for words in await _since(work, connection, change)]:
        raise ChangedSince(what)
    done = [await _undone(work, connection, change) for change, connection in present if connection is not None]
    row.rolled_back_at, row.changes = datetime.now(UTC), None
    await work.audit("import.rolled_back", "import", row.id, connections=len(changes))
    return done


async def _locked(work: Work, connection_id: UUID) -> Connection | None:
    query = select(Connection).where(Connection.id == connection_id).with_for_update()
    return (await work.session.scalars(query)).one_or_none()


async def _since(work: Work, row: Connection | None, change: Change) -> list[str]:
    """What is not as the import left it; what a connection notes by itself counts where the import has set it."""
    if row is None:
        return [f"{change.label} was removed"]
    ours = set(Snapshot.__struct_fields__) if change.before is None else differing(change.before, change.after)
    changed = differing(change.after, await snapshot_of(work, row)) - (NOTED - ours)
    if not changed:
        return []
    if "verified_at" in changed:
        return [f"{change.label} was verified"]
    return [f"{change.label} has another {' and '.join(sorted(name.replace('_', ' ') for name in changed))}"]


async def _undone(work: Work, row: Connection, change: Change) -> str:
    was = await shown_on_record(work, row)
    if change.before is None:
        await work.session.delete(row)
        await work.session.flush()
        await work.audit("connection.deleted", "connection", change.connection_id, before=was)
        return f"removed   {change.label}"
    await put_back(work, row, change.before, differing(change.before, change.after))
    await work.session.refresh(row)
    after = await shown_on_record(work, row)
    await work.audit("connection.updated", "connection", row.id, before=was, after=after)
    return f"put back  {change.label}"
