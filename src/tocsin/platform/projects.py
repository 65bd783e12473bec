"""Projects as the operator sees and changes them.

Lists are read across projects; one project is read and changed from inside, in the caller's transaction.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.call import Call
from tocsin.kit.errors import FieldError, Invalid, NotFound
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.pagination import Page, Paging
from tocsin.plans.catalogue import read_catalogue
from tocsin.platform.figures import usage_of
from tocsin.platform.schemas import ListedProject, Owner, PlatformProject
from tocsin.projects.models import Project
from tocsin.users.models import User

_LISTED = (
    Project.id,
    Project.name,
    Project.slug,
    Project.status,
    Project.plan,
    Project.region,
    Project.trial_ends_at,
    Project.suspended_at,
    Project.suspended_reason,
    Project.cancelled_at,
    Project.cancelled_by,
    Project.created_at,
    Project.updated_at,
)
"""What the operator's login may read, and what a list shows."""


async def listed(
    call: Call, paging: Paging, *, search: str | None, status: str | None, plan: str | None
) -> Page[ListedProject]:
    """One page of all projects but the platform's own."""
    query = select(*_LISTED).where(Project.id != PLATFORM_ID)
    if search:
        pattern = "%" + search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        query = query.where(or_(Project.name.ilike(pattern), Project.slug.ilike(pattern)))
    if status:
        query = query.where(Project.status == status)
    if plan:
        query = query.where(Project.plan == plan)
    if paging.cursor is not None:
        last = call.gate.cursors.open(call.place, paging.cursor)
        query = query.where(Project.id < last if paging.newest_first else Project.id > last)
    order = Project.id.desc() if paging.newest_first else Project.id.asc()
    async with call.gate.across.unscoped() as session:
        found = (await session.execute(query.order_by(order).limit(paging.limit + 1))).all()
        rows = found[: paging.limit]
        usage = await usage_of(session, [row.id for row in rows])
    items = [_listed(row, *usage[row.id]) for row in rows]
    more = len(found) > paging.limit
    return Page[ListedProject](
        items=items, nextCursor=call.gate.cursors.seal(call.place, rows[-1].id) if more else None
    )


def _listed(row: Any, usage: Any, last_event_at: Any) -> ListedProject:
    fields = {column.key: getattr(row, column.key) for column in _LISTED}
    return ListedProject(**fields, usage=usage, last_event_at=last_event_at)


async def one(call: Call, project_id: UUID) -> PlatformProject:
    """One project with its owner. Raises NotFound for an id that is none, and for the platform's own."""
    async with _within(call, project_id) as session:
        return await shown(call, session)


async def shown(call: Call, session: AsyncSession) -> PlatformProject:
    """The project of the scope that ``session`` is in."""
    project = (await session.scalars(select(Project).execution_options(populate_existing=True))).one()
    owner = (await session.scalars(select(User).where(User.id == project.owner_id))).one_or_none()
    async with call.gate.across.unscoped() as across:
        usage, last_event_at = (await usage_of(across, [project.id]))[project.id]
    fields = {column.key: getattr(project, column.key) for column in _LISTED}
    return PlatformProject(
        **fields,
        usage=usage,
        last_event_at=last_event_at,
        overrides=project.overrides,
        billing_email=project.billing_email,
        purge_at=project.purge_at,
        owner=Owner.model_validate(owner, from_attributes=True) if owner else None,
    )


async def change(
    call: Call, project_id: UUID, action: str, work: Callable[[AsyncSession, Project], Awaitable[None]], **told: Any
) -> PlatformProject:
    """Do something to a project, on the record of both; ``told`` goes into both records."""
    async with _within(call, project_id) as session:
        query = select(Project).with_for_update(key_share=True).execution_options(populate_existing=True)
        project = (await session.scalars(query)).one()
        before = recorded(project)
        await work(session, project)
        await session.flush()
        after = await shown(call, session)
        changed = {"before": before, "after": recorded(project), **told}
        await record(session, project_id, "live", acting(call), action, "project", project_id, changed)
    await call.audit(action, "project", project_id, **changed, slug=after.slug)
    return after


async def check_plan(session: AsyncSession, name: str | None, pointer: str) -> None:
    """Refuse a plan that the catalogue does not have: it would limit nothing."""
    if name is not None and name not in {plan.name for plan in await read_catalogue(session)}:
        raise Invalid([FieldError(pointer, "unknown_plan", "There is no such plan; GET /platform/plans lists them.")])


@asynccontextmanager
async def _within(call: Call, project_id: UUID) -> AsyncIterator[AsyncSession]:
    if project_id == PLATFORM_ID:
        raise NotFound()
    async with call.inside(project_id) as session:
        if await session.scalar(select(Project.id)) is None:
            raise NotFound()
        yield session


def acting(call: Call) -> Actor:
    """The caller in the audit log of a project that is not theirs."""
    actor = call.actor
    return Actor("platform_admin", actor.id, actor.ip_address, actor.user_agent, actor.request_id)


def recorded(project: Project) -> dict[str, Any]:
    """What may change of a project, for the audit log."""
    ends = project.trial_ends_at
    return {
        "name": project.name,
        "status": project.status,
        "plan": project.plan,
        "overrides": project.overrides,
        "billingEmail": project.billing_email,
        "region": project.region,
        "trialEndsAt": ends.isoformat() if ends else None,
    }
