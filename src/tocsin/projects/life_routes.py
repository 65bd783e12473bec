"""The end of a project, the way back, a new owner and all its data, over HTTP (T7)."""

from typing import cast

from fastapi import Request
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from tocsin.audit.record import record
from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.kit.broker import Broker
from tocsin.kit.errors import FieldError, Invalid
from tocsin.kit.ids import PLATFORM_ID
from tocsin.projects.export import MEDIA_TYPE, as_file
from tocsin.projects.life import cancel, locked, restore
from tocsin.projects.models import Project
from tocsin.projects.schemas import ProjectAnswer, Transfer
from tocsin.users.models import User
from tocsin.users.roles import give_roles, role_names, roles_named, take_other_roles

router = guarded_router(tags=["project"])


@router.delete("/projects/me", operation_id="cancel_project")
@needs("project:delete")
async def cancel_project(call: Called) -> ProjectAnswer:
    """Cancel the project: read-only from now on, with export and restore, and removed for good at `purgeAt`."""
    project = await locked(call.session)
    await cancel(call.session, project, f"{call.actor.type} {call.actor.id}")
    return await _told(call, project, "project.cancelled")


@router.post("/projects/me/restore", operation_id="restore_project")
@needs("project:delete", while_suspended=True)
async def restore_project(call: Called, request: Request) -> ProjectAnswer:
    """Take the cancellation back. A project that the operator had suspended is suspended again."""
    project = await locked(call.session)
    await restore(call.session, project)
    call.after_commit.append(lambda: wake_all(request))
    return await _told(call, project, "project.restored")


@router.post("/projects/me/transfer", operation_id="transfer_project")
@needs("project:delete")
async def transfer(call: Called, body: Transfer) -> ProjectAnswer:
    """Make somebody else the owner; the owner so far becomes an admin."""
    call.write_to("live")
    project = await locked(call.session)
    before = project.owner_id
    heir = (await call.session.scalars(select(User).where(User.id == body.user_id))).one_or_none()
    if heir is None or heir.env != "live" or heir.status != "active":
        raise Invalid([FieldError("/userId", "unknown_user", "There is no such active user.")])
    roles = await roles_named(call.session, ["owner", "admin"])
    await give_roles(call.session, call.project_id, "live", {heir.id: [roles["owner"]]})
    if before is not None and before != heir.id:
        kept = set((await role_names(call.session, [before])).get(before, [])) - {"owner"} | {"admin"}
        others = await roles_named(call.session, kept)
        await take_other_roles(call.session, call.project_id, {before: others.values()})
        await give_roles(call.session, call.project_id, "live", {before: others.values()})
    project.owner_id = heir.id
    await call.session.flush()
    await call.session.refresh(project)
    await call.audit(
        "project.transferred",
        "project",
        project.id,
        before={"ownerId": str(before) if before else None},
        after={"ownerId": str(heir.id)},
    )
    return ProjectAnswer.model_validate(project)


@router.get(
    "/projects/me/export",
    operation_id="export_project",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "One row a line."}},
)
@needs("project:delete", network_first=True)
async def export(admitted: Admitted) -> StreamingResponse:
    """Every row of the project but its secrets, as JSON lines `{"table", "row"}`; the last one says `end`."""
    call = await admitted.begin()
    await call.audit("project.exported", "project", call.project_id)
    return as_file(call.gate.db, call.project_id, call.principal.project_slug)


def wake_all(request: Request) -> None:
    """What waited while the project was halted goes on at once and not at the next look."""
    broker = cast(Broker, request.app.state.broker)
    broker.wake("events")
    broker.wake("deliveries")


async def _told(call: Call, project: Project, action: str) -> ProjectAnswer:
    """In the project's audit log and, because the project may go, in the platform's."""
    await call.session.refresh(project)
    answer = ProjectAnswer.model_validate(project)
    await call.audit(action, "project", project.id, after={"status": project.status})
    told = {"slug": project.slug, "name": project.name, "status": project.status}
    async with call.inside(PLATFORM_ID) as session:
        await record(session, PLATFORM_ID, "live", call.actor, action, "project", project.id, told)
    return answer
