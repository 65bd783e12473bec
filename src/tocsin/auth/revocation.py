"""Taking trust back within a second, on every process, without trusting messages.

A revocation is a row, written in the transaction that revokes. Every process reads the last ten seconds of
rows every 400 ms; messages between processes only hurry that. While no read has finished for a second,
whatever is remembered counts as unknown (``Credentials.remembered``).
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import Database
from tocsin.kit.ids import new_id

if TYPE_CHECKING:
    from tocsin.auth.keys import Credentials

_EVERY_SECONDS = 0.4
_LOOK_BACK_SECONDS = 10

log = structlog.get_logger(__name__)

Revoked = Callable[[UUID, str, str], None]


async def revoke(session: AsyncSession, project_id: UUID, kind: str, ref: str) -> None:
    """Make every process forget a ``key`` (its id), a ``public_key`` (pk_...), a ``user`` or a ``project``."""
    await session.execute(
        text("INSERT INTO tocsin.revocations (project_id, id, kind, ref) VALUES (:project, :id, :kind, :ref)"),
        {"project": project_id, "id": new_id(), "kind": kind, "ref": ref},
    )


class RevocationWatch:
    """Reads revocations for one process and tells those who remember things."""

    def __init__(self, db: Database, credentials: "Credentials", listeners: list[Revoked]) -> None:
        self._db = db
        self._credentials = credentials
        self._listeners = listeners
        self._seen: set[tuple[UUID, str, str, object]] = set()

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as error:
                log.warning("revocations not read", error=str(error)[:200])
            await asyncio.sleep(_EVERY_SECONDS)

    async def look(self) -> None:
        """One read: forget what was revoked since the last one, then trust the rest for a second."""
        async with self._db.unscoped() as session:
            rows = (
                await session.execute(
                    text("SELECT * FROM tocsin.recent_revocations(:seconds)"), {"seconds": _LOOK_BACK_SECONDS}
                )
            ).all()
        current = {(row.project_id, row.kind, row.ref, row.at) for row in rows}
        for project_id, kind, ref, _ in current - self._seen:
            self._tell(project_id, kind, ref)
        self._seen = current
        self._credentials.trust()

    def _tell(self, project_id: UUID, kind: str, ref: str) -> None:
        if kind == "key":
            self._credentials.forget_key(UUID(ref))
        elif kind == "project":
            self._credentials.forget_project(project_id)
        for listener in self._listeners:
            listener(project_id, kind, ref)
