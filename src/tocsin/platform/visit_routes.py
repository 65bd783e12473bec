"""Platform admins inside projects ("log in as", T4): begun with a reason, announced there, over within the hour."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Response
from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import Row, TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.auth.revocation import revoke
from tocsin.auth.visit import allowed_inside, leads
from tocsin.kit.errors import Conflict, Forbidden, NotFound
from tocsin.kit.ids import PLATFORM_ID, new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import WHOLE, Answer, Body, PathId, Time, plain
from tocsin.platform.models import Visit
from tocsin.projects.models import Project

router = guarded_router()

# The constraints come first, so that the length is that of the stripped text.
Reason = Annotated[str, StringConstraints(min_length=3, max_length=500, strip_whitespace=True), AfterValidator(plain)]


class LogInAs(Body):
    reason: Reason = Field(description="The project reads it in its audit log.")
    minutes: Annotated[int, Field(ge=1, le=60), WHOLE] = 30
    write: bool | None = Field(
        None, description="Whether to change things; without a word, who runs projects may and support does not."
    )


class VisitedProject(Answer):
    id: UUID
    slug: str
    name: str


class Visitor(Answer):
    id: UUID
    name: str


class VisitAnswer(Answer):
    id: UUID
    project: VisitedProject
    admin: Visitor
    reason: str
    write: bool
    started_at: Time
    expires_at: Time
    ended_at: Time | None = Field(description="When somebody ended it before its time.")


class OneVisit(VisitAnswer):
    permissions: list[str] = Field(description="What the caller may inside; nothing once it is over, or another's.")


@router.post("/platform/projects/{project_id}/login-as", operation_id="log_in_as", status_code=201, tags=["platform"])
@needs("platform:enter", network_first=True)
async def log_in_as(admitted: Admitted, project_id: PathId, body: LogInAs) -> VisitAnswer:
    """Begin a visit. Until it ends, send your own token with `X-Tenant-Id: <slug>` to act inside the project."""
    if project_id == PLATFORM_ID:
        raise Conflict("platform_itself", "The platform is no project to visit.")
    async with admitted.transaction() as asked:
        name = await _name_of(asked)
        writes = leads(asked.principal) if body.write is None else body.write
    # Two projects, so two transactions. The visit and its announcement are in the first, the platform's note follows.
    async with asked.gate.db.scope(project_id, "live") as session:
        visit = await _begin(session, asked, project_id, name, body, writes)
    call = await admitted.begin()
    await call.audit("platform.entered", "project", project_id, after={"visit": str(visit.id), **_told(visit)})
    return visit


@router.get("/platform/visits", operation_id="list_visits", tags=["platform"])
@needs("platform:enter")
async def visits(call: Called, paging: Annotated[Paging, Depends()]) -> Page[VisitAnswer]:
    """The visits of all admins to all projects in the last 400 days."""
    last = call.gate.cursors.open(call.place, paging.cursor) if paging.cursor is not None else None
    query, start = (_NEWEST, _HIGHEST) if paging.newest_first else (_OLDEST, _LOWEST)
    rows = (await call.session.execute(query, {"last": last or start, "most": paging.limit + 1})).all()
    shown = [_shown(row) for row in rows[: paging.limit]]
    more = call.gate.cursors.seal(call.place, shown[-1].id) if len(rows) > paging.limit else None
    return Page[VisitAnswer](items=shown, nextCursor=more)


@router.get("/platform/visits/{visit_id}", operation_id="read_visit", tags=["platform"])
@needs("platform:enter")
async def read(call: Called, visit_id: PathId) -> OneVisit:
    """A visit, and what the caller may do in the project while it is open."""
    row = (await call.session.execute(_WHOLE, {"id": visit_id})).one_or_none()
    if row is None:
        raise NotFound()
    mine = row.is_open and row.admin_id == call.principal.user_id
    permissions = sorted(allowed_inside(call.principal, writes=row.writes)) if mine else []
    return OneVisit(**_shown(row).model_dump(), permissions=permissions)


@router.delete("/platform/visits/{visit_id}", operation_id="end_visit", status_code=204, tags=["platform"])
@needs("platform:enter", network_first=True)
async def end_visit(admitted: Admitted, visit_id: PathId) -> Response:
    """End a visit at once: your own, or with `platform:admins` anybody's. One that is over stays over."""
    async with admitted.transaction() as asked:
        visit = (await asked.session.execute(_ONE, {"id": visit_id})).one_or_none()
    if visit is None:
        raise NotFound()
    if visit.admin_id != asked.principal.user_id and not asked.principal.may("platform:admins"):
        raise Forbidden("permission_missing", "Ending the visit of another admin needs platform:admins.")
    async with asked.gate.db.scope(visit.project_id, "live") as session:
        ended = await _end(session, _by(asked), _OPEN_ONE, visit_id)
    if ended:
        call = await admitted.begin()
        await call.audit("platform.left", "project", visit.project_id, after={"visit": str(visit_id)})
    return Response(status_code=204)


@router.get("/projects/me/visits", operation_id="list_visits_here", tags=["project"])
@needs("audit:read")
async def visits_here(call: Called, paging: Annotated[Paging, Depends()]) -> Page[VisitAnswer]:
    """Who of the platform has been, or is, inside this project."""
    project = (await call.session.scalars(select(Project))).one()
    found = await page(
        call.session,
        select(Visit),
        Visit.id,
        paging,
        call.gate.cursors,
        call.place,
        lambda visit: _answer(visit, _visited(project)),
    )
    return Page[VisitAnswer](**found)


_LOWEST, _HIGHEST = UUID(int=0), UUID(int=2**128 - 1)
_NEWEST = text("SELECT * FROM tocsin.find_visits(NULL) WHERE id < :last ORDER BY id DESC LIMIT :most")
_OLDEST = text("SELECT * FROM tocsin.find_visits(NULL) WHERE id > :last ORDER BY id LIMIT :most")
_WHOLE = text("SELECT *, ended_at IS NULL AND expires_at > now() AS is_open FROM tocsin.find_visits(:id)")
_ONE = text("SELECT project_id, admin_id FROM tocsin.find_visits(:id)")
_OPEN = "UPDATE tocsin.visits SET ended_at = now() WHERE ended_at IS NULL AND expires_at > now()"
_OPEN_ONE = text(_OPEN + " AND id = :whose RETURNING id")
_OPEN_OF_ADMIN = text(_OPEN + " AND admin_id = :whose RETURNING id")


async def _name_of(call: Call) -> str:
    """What the project is told: the admin's name, and not their address."""
    name = await call.session.scalar(text("SELECT name FROM tocsin.users WHERE id = :id"), {"id": call.principal.id})
    return name or "Platform admin"


def _by(call: Call) -> Actor:
    """The admin, as the project's audit log names them."""
    return replace(call.actor, type="platform_admin")


async def _begin(
    session: AsyncSession, asked: Call, project_id: UUID, name: str, body: LogInAs, writes: bool
) -> VisitAnswer:
    """A new visit in place of the admin's last one, and its announcement, in the project's own transaction."""
    project = (await session.scalars(select(Project))).one_or_none()
    if project is None:
        raise NotFound()
    await _end(session, _by(asked), _OPEN_OF_ADMIN, asked.principal.id)
    visit = Visit(
        project_id=project_id,
        id=new_id(),
        admin_id=asked.principal.id,
        admin_name=name,
        reason=body.reason,
        writes=writes,
        expires_at=datetime.now(UTC) + timedelta(minutes=body.minutes),
    )
    session.add(visit)
    await session.flush()
    await session.refresh(visit)
    answer = _answer(visit, _visited(project))
    await record(session, project_id, "live", _by(asked), "platform.entered", "visit", visit.id, _told(answer))
    return answer


async def _end(session: AsyncSession, by: Actor, query: TextClause, whose: UUID) -> bool:
    """End the open visits of this project that the query finds; whether there was one."""
    ended = (await session.execute(query, {"whose": whose})).scalars().all()
    for visit_id in ended:
        project_id = await session.scalar(text("SELECT tocsin.current_project()"))
        await revoke(session, project_id, "visit", str(visit_id))
        await record(session, project_id, "live", by, "platform.left", "visit", visit_id)
    return bool(ended)


def _told(visit: VisitAnswer) -> dict[str, Any]:
    shown = visit.model_dump(mode="json", by_alias=True)
    return {name: shown[name] for name in ("reason", "admin", "write")} | {"until": shown["expiresAt"]}


def _visited(project: Project) -> VisitedProject:
    return VisitedProject(id=project.id, slug=project.slug, name=project.name)


def _shown(row: Row[Any]) -> VisitAnswer:
    """A row of ``find_visits``."""
    return _answer(row, VisitedProject(id=row.project_id, slug=row.project_slug, name=row.project_name))


def _answer(visit: Visit | Row[Any], project: VisitedProject) -> VisitAnswer:
    return VisitAnswer(
        id=visit.id,
        project=project,
        admin=Visitor(id=visit.admin_id, name=visit.admin_name),
        reason=visit.reason,
        write=visit.writes,
        started_at=visit.created_at,
        expires_at=visit.expires_at,
        ended_at=visit.ended_at,
    )
