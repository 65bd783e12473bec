"""Taking trust back within a second, on every process, without trusting messages.

A revocation is a row, written in the transaction that revokes. Every process reads the last ten seconds of
rows every 400 ms; messages between processes only hurry that. While no read has finished for a second,
whatever is remembered counts as unknown (``Credentials.remembered``). The first read after such a gap goes back
to the last one that finished.

What can be taken back, and by what it is named:

- ``key`` (its id): what is remembered of an API key, such as its name and its secrets
- ``revoked_key`` (its id) and ``public_key`` (``pk_...``): an API key, for good
- ``session`` (its id): a sign-in that was ended
- ``user`` (id): somebody who was blocked or deleted
- ``access`` (id of a user or a key): somebody who may less than before, and still may something
- ``visit`` (its id): a platform admin's stay in the project, ended before its time
- ``project`` (its id): whatever is remembered of the project, such as its status
- ``event_types`` (a name): what is remembered of the project's event types
- ``everything``: never written; a process tells it to itself when it was blind for longer than rows are kept
"""

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import Database
from tocsin.kit.ids import PLATFORM_ID, new_id
from tocsin.kit.loops import again_and_again

if TYPE_CHECKING:
    from tocsin.auth.keys import Credentials

_EVERY_SECONDS = 0.4
_READ_SECONDS = 5.0
_LOOK_BACK = timedelta(seconds=10)
"""Longer than any transaction that revokes takes from its row to its commit."""
_KEPT = timedelta(minutes=50)
"""Rows are kept for an hour; a little less, so that none is removed between the question and its answer."""

_RECENT = """
SELECT t.now, t.since, r.project_id, r.kind, r.ref, r.at
FROM (SELECT c.now, least($1, c.now) - $2::interval AS since FROM clock_timestamp() AS c (now)) t
LEFT JOIN LATERAL tocsin.recent_revocations(ceil(extract(epoch FROM t.now - t.since))::integer + 1) r ON r.at > t.since
"""

log = structlog.get_logger(__name__)

Revoked = Callable[[UUID, str, str], None]


async def revoke(session: AsyncSession, project_id: UUID, kind: str, ref: str) -> None:
    """Make every process act on one thing that is taken back."""
    await revoke_all(session, project_id, kind, [ref])


async def end_key(session: AsyncSession, project_id: UUID, key_id: UUID, public_key: str) -> None:
    """Refuse a key, end the sockets it opened and those that stand on what it signed."""
    await revoke(session, project_id, "revoked_key", str(key_id))
    await revoke(session, project_id, "public_key", public_key)


async def revoke_all(session: AsyncSession, project_id: UUID, kind: str, refs: Collection[str]) -> None:
    """The same for several of a kind."""
    if refs:
        ids = [new_id() for _ in refs]
        await session.execute(_REVOKE, {"project": project_id, "kind": kind, "ids": ids, "refs": list(refs)})


_REVOKE = text("""
INSERT INTO tocsin.revocations (project_id, id, kind, ref)
SELECT :project, r.id, :kind, r.ref FROM unnest(CAST(:ids AS uuid[]), CAST(:refs AS text[])) AS r (id, ref)
""")


async def end_session(session: AsyncSession, project_id: UUID, session_id: UUID, reason: str) -> bool:
    """End one sign-in everywhere; False when it had ended already."""
    ended = await session.execute(_END_ONE, {"id": session_id, "reason": reason})
    return await _tell_ended(session, project_id, list(ended.scalars())) > 0


async def end_sessions_of(
    session: AsyncSession, project_id: UUID, people: Collection[UUID], reason: str, *, but: UUID | None = None
) -> int:
    """End every sign-in of these people, except one; how many those were."""
    ended = await session.execute(_END_ALL, {"people": list(people), "reason": reason, "but": but})
    return await _tell_ended(session, project_id, list(ended.scalars()))


async def _tell_ended(session: AsyncSession, project_id: UUID, ended: list[UUID]) -> int:
    await revoke_all(session, project_id, "session", [str(id_) for id_ in ended])
    return len(ended)


_END_ONE = text("""
UPDATE tocsin.sessions SET revoked_at = now(), revoked_reason = :reason
WHERE id = :id AND revoked_at IS NULL AND expires_at > now() RETURNING id
""")
_END_ALL = text("""
UPDATE tocsin.sessions SET revoked_at = now(), revoked_reason = :reason
WHERE user_id = ANY(:people) AND id IS DISTINCT FROM CAST(:but AS uuid) AND revoked_at IS NULL AND expires_at > now()
RETURNING id
""")


class RevocationWatch:
    """Reads revocations for one process and tells those who remember things."""

    def __init__(self, db: Database, credentials: "Credentials", listeners: list[Revoked]) -> None:
        self.read_at: datetime | None = None
        """When the last finished read was, by the database's clock."""
        self._db = db
        self._credentials = credentials
        self._listeners = listeners
        self._seen: set[tuple[UUID, str, str, datetime]] = set()

    async def run(self) -> None:
        await again_and_again(_EVERY_SECONDS, self.look)

    async def look(self) -> None:
        """One read: forget what was revoked since the last one, then trust the rest for a second.

        Over a hot connection, which does not wait behind anybody's reads: without trust every event would.
        """
        async with asyncio.timeout(_READ_SECONDS), self._db.hot.acquire() as connection:
            rows = await connection.fetch(_RECENT, self.read_at, _LOOK_BACK)
        now, since = rows[0]["now"], rows[0]["since"]
        if now - since > _KEPT:
            log.error("revocations were not read for too long; forgetting everything", since=str(since))
            self._tell(PLATFORM_ID, "everything", "")
        current = {tuple(row)[2:] for row in rows if row["at"]}
        for project_id, kind, ref, _ in current - self._seen:
            self._tell(project_id, kind, ref)
        self._seen = {row for row in current if row[3] > now - _LOOK_BACK}
        self.read_at = now
        self._credentials.trust()

    def _tell(self, project_id: UUID, kind: str, ref: str) -> None:
        if kind in ("key", "revoked_key"):
            self._credentials.forget_key(UUID(ref))
        elif kind == "project":
            self._credentials.forget_project(project_id)
        elif kind == "everything":
            self._credentials.forget_all()
        for listener in self._listeners:
            try:
                listener(project_id, kind, ref)
            except Exception:
                log.exception("not taken back by one who listens", project=str(project_id), kind=kind)
