"""The stage that removes what was cancelled long enough ago (T7).

A project is closed first: its keys are revoked and its sign-ins end, and what still waited ends as ``cancelled``. A
minute later no process remembers anything of it, and its rows go, table by table, children first. Each look takes a
bounded step. The last one removes the project itself and notes in the platform's audit log that it existed.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.revocation import revoke
from tocsin.kit.catalogue import APPEND_ONLY
from tocsin.kit.db import Database, Env, switch_scope
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.schema import iso
from tocsin.kit.tenant_tables import TenantTable, tenant_tables
from tocsin.projects.models import KEPT

PROJECTS_AT_ONCE = 20
ROWS_AT_ONCE = 2_000
FORGOTTEN_AFTER_SECONDS = 60
"""Far more than the second after which every process has read a revocation."""

ENVS: tuple[Env, Env] = ("live", "test")

log = structlog.get_logger(__name__)


class PurgeStage:
    """Removes projects whose time is over; as many as like may run, a project is in one hand at a time."""

    def __init__(self, db: Database, closed: Callable[[UUID], Awaitable[None]]) -> None:
        """``closed`` is called once for each project that is, before its rows go; it may fail."""
        self._db = db
        self._closed = closed

    async def run_once(self) -> bool:
        """One step of each project that is due; True when one of them goes on at once."""
        async with self._db.unscoped() as session:
            due = list(await session.scalars(_DUE, {"days": KEPT.days, "most": PROJECTS_AT_ONCE}))
        return any([await self._step(project_id) for project_id in due])

    async def _step(self, project_id: UUID) -> bool:
        async with self._db.scope(project_id, "live") as session:
            project = (
                await session.execute(_PROJECT, {"days": KEPT.days, "seconds": FORGOTTEN_AFTER_SECONDS})
            ).one_or_none()
            if project is None:
                return False
            if project.closed_at is not None:
                return await _go_on(session, project)
            await _close(session, project_id)
        await self._closed(project_id)
        return True


_DUE = text("SELECT project_id FROM tocsin.ended_projects(:days, :most)")
# Whoever restores it at this moment is found by the lock; what another worker has in hand is not for us.
_PROJECT = text("""
SELECT id, name, slug, plan, created_at, cancelled_at, cancelled_by, closed_at,
    closed_at <= now() - make_interval(secs => :seconds) AS forgotten
FROM tocsin.projects
WHERE status = 'cancelled' AND cancelled_at <= now() - make_interval(days => :days)
FOR NO KEY UPDATE SKIP LOCKED
""")


async def _close(session: AsyncSession, project_id: UUID) -> None:
    """From here on nothing of the project opens, and there is no way back."""
    for statement in _CLOSE:
        await session.execute(statement)
    await revoke(session, project_id, "project", str(project_id))
    log.info("project closed", project=str(project_id))


_CLOSE = (
    text("UPDATE tocsin.projects SET closed_at = now()"),
    text("UPDATE tocsin.api_keys SET status = 'revoked', updated_at = now() WHERE status = 'active'"),
    text(
        "UPDATE tocsin.sessions SET revoked_at = now(), revoked_reason = 'the project ended' WHERE revoked_at IS NULL"
    ),
)


async def _go_on(session: AsyncSession, project: Any) -> bool:
    """One step of a project that is closed."""
    if await _ended_some(session, project.id):
        return True
    if not project.forgotten:
        return False
    if await _removed_some(session, project.id):
        return True
    await _remove(session, project)
    return False


async def _ended_some(session: AsyncSession, project_id: UUID) -> bool:
    """Let some of what waits end; False when nothing waits."""
    for env in ENVS:
        await switch_scope(session, project_id, env)
        for statement in _END:
            if (await session.execute(statement, {"project": project_id, "most": ROWS_AT_ONCE})).first():
                return True
    await switch_scope(session, project_id, "live")
    return False


def _ending(table: str, change: str, waiting: str) -> TextClause:
    """``waiting`` is worded like the condition of the index that finds such rows."""
    return text(
        f"UPDATE tocsin.{table} SET {change} WHERE project_id = :project AND {waiting} AND ctid = ANY(ARRAY("  # noqa: S608
        f"SELECT ctid FROM tocsin.{table} WHERE project_id = :project AND {waiting} LIMIT :most)) RETURNING id"
    )


_EVENT = "state = 'failed', outcome = 'cancelled', processed_at = now()"
_DELIVERY = "state = 'cancelled', finished_at = now(), last_error = 'the project was cancelled'"
_END = (
    _ending("events", _EVENT, "state = 'received' AND claims = 0"),
    _ending("events", _EVENT, "state = 'received' AND claims > 0"),
    _ending("deliveries", _DELIVERY, "state = 'queued' AND ready"),
    _ending("deliveries", _DELIVERY, "state = 'queued' AND NOT ready"),
)


async def _removed_some(session: AsyncSession, project_id: UUID) -> bool:
    """Remove some rows; False when the project has none in any table."""
    for table in reversed(await tenant_tables(session)):
        if table.name in APPEND_ONLY:
            continue
        for env in ENVS if table.has_env else ENVS[:1]:
            await switch_scope(session, project_id, env)
            if await session.scalar(_removing(table), {"project": project_id, "most": ROWS_AT_ONCE}):
                return True
    await switch_scope(session, project_id, "live")
    return bool(await session.scalar(text("SELECT tocsin.purge_audit(:most)"), {"most": ROWS_AT_ONCE}))


def _removing(table: TenantTable) -> TextClause:
    """Rows by their place on disk, because tables have keys of all sorts. In a partitioned table a place is not one
    row, and any other row there that is the project's has to go as well."""
    return text(
        f"WITH gone AS (DELETE FROM {table.quoted} WHERE project_id = :project AND ctid = ANY(ARRAY("  # noqa: S608
        f"SELECT ctid FROM {table.quoted} WHERE project_id = :project LIMIT :most)) RETURNING 1)"
        " SELECT count(*) FROM gone"
    )


async def _remove(session: AsyncSession, project: Any) -> None:
    """The project itself, and the note that it was, in one transaction."""
    await session.execute(text("DELETE FROM tocsin.projects"))
    await switch_scope(session, PLATFORM_ID, "live")
    was = {"name": project.name, "slug": project.slug, "plan": project.plan, "createdAt": iso(project.created_at)}
    how = {"cancelledAt": iso(project.cancelled_at), "cancelledBy": project.cancelled_by}
    actor = Actor("system", "purge")
    await record(session, PLATFORM_ID, "live", actor, "project.purged", "project", project.id, {**was, **how})
    log.info("project purged", project=str(project.id), slug=project.slug)
