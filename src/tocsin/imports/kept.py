"""What an import has changed, kept sealed for 30 days so that it can be put back.

In a table and not in a file: it is written with the change itself, a rotation of keys finds it, a purge of the project
takes it along, and it can be put back from any machine.
"""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.imports.snapshot import Snapshot
from tocsin.imports.work import Work
from tocsin.kit.db import Table
from tocsin.kit.ids import new_id


class Import(Table):
    """``changes`` is sealed JSON, and null once it was put back."""

    __tablename__ = "imports"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    changes: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    rolled_back_at: Mapped[datetime | None]


class Change(msgspec.Struct, frozen=True):
    """A connection before and after; ``before`` is None where it was made. ``label`` is for the operator."""

    connection_id: UUID
    label: str
    before: Snapshot | None
    after: Snapshot


async def keep(work: Work, changes: list[Change]) -> UUID:
    """The id under which these changes can be put back."""
    id_ = new_id()
    sealed = await work.seal("imports", id_, "changes", msgspec.json.encode(changes).decode())
    work.session.add(Import(project_id=work.project_id, id=id_, changes=sealed))
    await work.session.flush()
    return id_


async def opened(work: Work, row: Import) -> list[Change]:
    """Raises Unreadable."""
    if row.changes is None:
        return []
    plain = await work.open("imports", row.id, "changes", row.changes)
    return msgspec.json.decode(plain, type=list[Change])
