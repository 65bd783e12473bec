"""The life of a project (T5, T7): its state follows from dates, so that taking one thing back leaves the others.

``suspended`` by the operator: reads work, writes are refused, and what is queued waits. ``cancelled`` by its owner or
the operator: the same, for 30 days, in which it can be read, exported and restored; then it is purged. A project that
was suspended and then cancelled is suspended again when it is restored.
"""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.revocation import revoke
from tocsin.kit.errors import Conflict
from tocsin.projects.models import Project


async def locked(session: AsyncSession) -> Project:
    """The project of this scope; until the end of the transaction nobody else changes what it is."""
    query = select(Project).with_for_update(key_share=True).execution_options(populate_existing=True)
    return (await session.scalars(query)).one()


async def suspend(session: AsyncSession, project: Project, reason: str) -> None:
    if project.cancelled_at is not None:
        raise Conflict("project_cancelled", "The project is cancelled; it does and changes nothing any more.")
    project.suspended_at, project.suspended_reason = datetime.now(UTC), reason
    await settle(session, project)


async def activate(session: AsyncSession, project: Project) -> None:
    """Take back suspension and cancellation."""
    if project.cancelled_at is not None:
        _check_restorable(project)
    project.suspended_at = project.suspended_reason = project.cancelled_at = project.cancelled_by = None
    await settle(session, project)


async def cancel(session: AsyncSession, project: Project, by: str) -> None:
    """``by`` says who, in the words of the audit log: ``user 0199...``."""
    if project.cancelled_at is not None:
        raise Conflict("project_cancelled", "The project is cancelled already.")
    project.cancelled_at, project.cancelled_by = datetime.now(UTC), by
    await settle(session, project)


async def restore(session: AsyncSession, project: Project) -> None:
    """Take back the cancellation alone."""
    if project.cancelled_at is None:
        raise Conflict("not_cancelled", "The project is not cancelled.")
    _check_restorable(project)
    project.cancelled_at = project.cancelled_by = None
    await settle(session, project)


def _check_restorable(project: Project) -> None:
    if project.purge_at is not None and (project.closed_at is not None or project.purge_at <= datetime.now(UTC)):
        raise Conflict("purge_begun", "The time to come back is over; the project is being removed.")


async def settle(session: AsyncSession, project: Project) -> None:
    """Let the state follow from the dates, on every process within a second."""
    project.status = _state(project)
    await session.flush()
    await revoke(session, project.id, "project", str(project.id))


def _state(project: Project) -> str:
    if project.cancelled_at is not None:
        return "cancelled"
    if project.suspended_at is not None:
        return "suspended"
    on_trial = project.trial_ends_at is not None and project.trial_ends_at > datetime.now(UTC)
    return "trial" if on_trial else "active"
