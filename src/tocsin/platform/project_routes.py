"""Projects over HTTP, for the operator (T4, T5, T7, P2)."""

from typing import Annotated, cast

from fastapi import Depends, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import record
from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.kit.errors import Forbidden
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging
from tocsin.kit.schema import PathId
from tocsin.platform.figures import measured
from tocsin.platform.links import Links, address
from tocsin.platform.projects import acting, change, check_plan, listed, one, shown
from tocsin.platform.schemas import (
    ListedProject,
    Metrics,
    PlatformProject,
    ProjectChange,
    ProjectCreate,
    ProjectMade,
    Status,
    Suspension,
)
from tocsin.platform.setup import state_of
from tocsin.projects.export import MEDIA_TYPE, as_file
from tocsin.projects.life import activate, cancel, settle, suspend
from tocsin.projects.life_routes import wake_all
from tocsin.projects.models import Project
from tocsin.projects.run_time import combined, stored
from tocsin.settings import Settings
from tocsin.signin.signup import found, new_pairs

router = guarded_router(tags=["platform"])

_OF_BILLING = frozenset({"plan", "overrides", "billing_email", "trial_ends_at"})


@router.post("/platform/projects", operation_id="make_project", status_code=201)
@needs("platform:projects")
async def make(call: Called, request: Request, body: ProjectCreate) -> ProjectMade:
    """A project for somebody, who chooses a password by the link in the answer. Secrets are shown this once."""
    await check_plan(call.session, body.plan, "/plan")
    settings = cast(Settings, request.app.state.settings)
    plan = body.plan or combined(await stored(call.gate.db), settings).default_plan
    pairs, project_id = await new_pairs(call.gate), new_id()
    async with call.inside(project_id) as session:
        founded = await found(
            call.gate,
            session,
            project_id,
            pairs,
            name=body.name,
            slug=body.slug,
            plan=plan,
            email=body.owner_email,
            password_hash=None,
        )
        founded.project.region = body.region
        await session.flush()
        await session.refresh(founded.owner)
        links = cast(Links, request.app.state.links)
        link = links.make(project_id, founded.owner.id, state_of(founded.owner))
        answer = await shown(call, session)
        told = {"after": {"name": answer.name, "slug": answer.slug, "plan": plan}}
        await record(session, project_id, "live", acting(call), "project.created", "project", project_id, told)
    await call.audit("project.created", "project", project_id, **told)
    return ProjectMade(
        project=answer,
        setup_url=address(settings.base_url, link),
        api_keys=founded.api_keys,
        identity_secrets=founded.identity_secrets,
        realtime=founded.realtime,
    )


@router.get("/platform/projects", operation_id="list_projects")
@needs("platform:read")
async def list_projects(
    call: Called,
    paging: Annotated[Paging, Depends()],
    search: Annotated[str | None, Query(max_length=200, description="Part of the name or slug.")] = None,
    status: Status | None = None,
    plan: Annotated[str | None, Query(max_length=40)] = None,
) -> Page[ListedProject]:
    return await listed(call, paging, search=search, status=status, plan=plan)


@router.get("/platform/projects/{project_id}", operation_id="read_any_project")
@needs("platform:read")
async def read(call: Called, project_id: PathId) -> PlatformProject:
    return await one(call, project_id)


@router.put("/platform/projects/{project_id}", operation_id="change_any_project")
@needs("platform:billing")
async def change_any(call: Called, project_id: PathId, body: ProjectChange) -> PlatformProject:
    """Change what is sent. Plan, overrides, contact and trial are billing's; the rest needs `platform:projects`."""
    sent = body.model_fields_set
    if sent - _OF_BILLING and not call.principal.may("platform:projects"):
        raise Forbidden("permission_missing", "This needs the permission platform:projects.")
    await check_plan(call.session, body.plan, "/plan")

    async def apply(session: AsyncSession, project: Project) -> None:
        for name, value in body.model_dump(exclude_unset=True, by_alias=False).items():
            setattr(project, name, value)
        await settle(session, project)

    return await change(call, project_id, "project.updated", apply)


@router.delete("/platform/projects/{project_id}", operation_id="cancel_any_project")
@needs("platform:projects")
async def cancel_any(call: Called, project_id: PathId) -> PlatformProject:
    """Cancel it: read-only from now on, and removed for good at `purgeAt`."""

    async def apply(session: AsyncSession, project: Project) -> None:
        await cancel(session, project, f"platform_admin {call.principal.id}")

    return await change(call, project_id, "project.cancelled", apply)


@router.post("/platform/projects/{project_id}/suspend", operation_id="suspend_project")
@needs("platform:projects")
async def suspend_one(call: Called, project_id: PathId, body: Suspension) -> PlatformProject:
    """Reads work, writes are refused, and what is queued waits; on every process within a second."""

    async def apply(session: AsyncSession, project: Project) -> None:
        await suspend(session, project, body.reason)

    return await change(call, project_id, "project.suspended", apply, reason=body.reason)


@router.post("/platform/projects/{project_id}/activate", operation_id="activate_project")
@needs("platform:projects")
async def activate_one(call: Called, request: Request, project_id: PathId) -> PlatformProject:
    """Take back suspension and cancellation; what waited goes out."""
    call.after_commit.append(lambda: wake_all(request))
    return await change(call, project_id, "project.activated", activate)


@router.get(
    "/platform/projects/{project_id}/export",
    operation_id="export_any_project",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "One row a line."}},
)
@needs("platform:projects", network_first=True)
async def export(admitted: Admitted, project_id: PathId) -> StreamingResponse:
    """What `GET /projects/me/export` gives the project's owner, on the record of both."""
    call = await admitted.begin()

    async def nothing(_session: AsyncSession, _project: Project) -> None:
        """Looking changes nothing, and is recorded all the same."""

    project = await change(call, project_id, "project.exported", nothing)
    return as_file(call.gate.db, project_id, project.slug)


@router.get("/platform/metrics", operation_id="read_metrics")
@needs("platform:read")
async def metrics(
    call: Called, hours: Annotated[int, Query(ge=1, le=168, description="How far back.")] = 24
) -> Metrics:
    """Projects by status and plan, events, and what became of deliveries, over the last hours."""
    async with call.gate.across.unscoped() as session:
        return await measured(session, hours)
