"""Connections over HTTP, for the operator: the platform's own, which it lends, and those of every project (C4, C5).

The platform's own lie in its own project and are made and changed there like any project's. Those of projects are seen
and limited from inside, on the record of both, and never with what they send with.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query, Response
from sqlalchemy import select

from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.connections import routes as owners
from tocsin.connections.hook_routes import SetupAnswer, read_setup
from tocsin.connections.limits import LimitsUpdate, limit
from tocsin.connections.models import Connection
from tocsin.connections.rows import end_default, find, find_to_change, find_to_step_in, level_of, shown
from tocsin.connections.schemas import (
    ConnectionAnswer,
    ConnectionFields,
    ConnectionRotate,
    ConnectionUpdate,
    ConnectionWithSecret,
    Limits,
    Owner,
    Status,
    VerifyAnswer,
    VerifyBody,
)
from tocsin.connections.stats import UseAnswer, use_of
from tocsin.connections.stepping_in import (
    ConnectionAccess,
    ConnectionLook,
    ConnectionSuspension,
    activate,
    ask,
    begin,
    report,
    suspend,
)
from tocsin.kit.errors import NotFound
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.pagination import Page, Paging
from tocsin.kit.schema import Answer, FilterId, PathId, Time

router = guarded_router(tags=["platform"])

_LISTED = (
    Connection.project_id,
    Connection.id,
    Connection.provider,
    Connection.channel,
    Connection.owner,
    Connection.status,
    Connection.suspended_by,
    Connection.is_default,
    Connection.use_as_fallback,
    Connection.rate_limit_rps,
    Connection.max_concurrent,
    Connection.verified_at,
    Connection.health_status,
    Connection.last_health_check,
    Connection.created_at,
    Connection.updated_at,
)
"""What the operator's login may read of every project, and what the list shows."""


class ListedConnection(Answer):
    """A connection of any project, without a word that people wrote."""

    project_id: UUID
    id: UUID
    provider: str
    channel: str
    owner: Owner
    status: Status
    suspended_by: Literal["project", "platform"] | None
    is_default: bool
    use_as_fallback: bool
    limits: Limits
    verified: bool
    health_status: Literal["unknown", "healthy", "degraded", "failing"]
    last_health_check: Time | None
    created_at: Time
    updated_at: Time


class AnyConnection(ConnectionAnswer):
    """A connection with the project it is in; of a project's the credentials are null."""

    project_id: UUID


@router.post("/platform/connections", operation_id="create_platform_connection", status_code=201)
@needs("platform:settings", network_first=True)
async def create(admitted: Admitted, door: owners.Outside, body: ConnectionFields) -> ConnectionWithSecret:
    """Connect an account that the platform lends to projects. The default of its channel sends where they have none."""
    return await owners.made(admitted, door, body, "platform")


@router.get("/platform/connections", operation_id="list_all_connections")
@needs("platform:connections")
async def list_all(
    call: Called,
    paging: Annotated[Paging, Depends()],
    projectId: Annotated[FilterId | None, Query()] = None,
    owner: Owner | None = None,
    provider: Annotated[str | None, Query(max_length=63)] = None,
    status: Status | None = None,
) -> Page[ListedConnection]:
    """The live connections of every project and of the platform."""
    query = select(*_LISTED).where(Connection.env == "live")
    wanted = {"project_id": projectId, "owner": owner, "provider": provider, "status": status}
    query = query.filter_by(**{name: value for name, value in wanted.items() if value is not None})
    if paging.cursor is not None:
        last = call.gate.cursors.open(call.place, paging.cursor)
        query = query.where(Connection.id < last if paging.newest_first else Connection.id > last)
    order = Connection.id.desc() if paging.newest_first else Connection.id.asc()
    async with call.gate.across.unscoped() as session:
        found = (await session.execute(query.order_by(order).limit(paging.limit + 1))).all()
    rows = found[: paging.limit]
    more = call.gate.cursors.seal(call.place, rows[-1].id) if len(found) > paging.limit else None
    return Page[ListedConnection](items=[_listed(row) for row in rows], nextCursor=more)


def _listed(row: Any) -> ListedConnection:
    values = {name: getattr(row, name) for name in ListedConnection.model_fields if name not in ("limits", "verified")}
    limits = Limits(max_concurrent=row.max_concurrent, requests_per_second=row.rate_limit_rps)
    return ListedConnection(**values, limits=limits, verified=row.verified_at is not None)


@router.get("/platform/connections/{connection_id}", operation_id="read_any_connection")
@needs("platform:connections")
async def read(call: Called, connection_id: PathId) -> AnyConnection:
    async with _within(call, connection_id) as there:
        return _placed(there, await shown(there, await find(there, connection_id)))


@router.get("/platform/connections/{connection_id}/stats", operation_id="read_any_connection_stats")
@needs("platform:connections")
async def stats(
    call: Called, connection_id: PathId, days: Annotated[int, Query(ge=1, le=30, description="Today included.")] = 7
) -> UseAnswer:
    """What was sent over it for all projects together, in numbers and without a word of theirs."""
    project_id = await _project_of(call, connection_id)
    async with call.gate.across.unscoped() as across:
        return await use_of(across, project_id, connection_id, days)


@router.get("/platform/connections/{connection_id}/setup", operation_id="read_platform_setup")
@needs("platform:settings")
async def setup(call: Called, connection_id: PathId) -> SetupAnswer:
    """Where the provider of one of the platform's own calls, and the steps of its set-up, each done or not."""
    return await read_setup(call, connection_id)


@router.put("/platform/connections/{connection_id}", operation_id="change_platform_connection")
@needs("platform:settings", network_first=True)
async def change(
    admitted: Admitted, door: owners.Outside, connection_id: PathId, body: ConnectionUpdate
) -> ConnectionAnswer:
    """Change one of the platform's own, as `PUT /connections/{id}` does."""
    return await owners.change(admitted, door, connection_id, body)


@router.delete("/platform/connections/{connection_id}", operation_id="delete_platform_connection", status_code=204)
@needs("platform:settings")
async def delete(call: Called, connection_id: PathId) -> Response:
    """Remove one of the platform's own. Projects that sent over it fall back to the environment's default, or fail."""
    return await owners.delete(call, connection_id)


@router.post("/platform/connections/{connection_id}/verify", operation_id="verify_platform_connection")
@needs("platform:settings", network_first=True)
async def verify(
    admitted: Admitted, door: owners.Outside, connection_id: PathId, body: VerifyBody | None = None
) -> VerifyAnswer:
    """Ask the provider whether the credentials of one of the platform's own work."""
    return await owners.verify(admitted, door, connection_id, body)


@router.post("/platform/connections/{connection_id}/rotate", operation_id="rotate_platform_connection")
@needs("platform:settings", network_first=True)
async def rotate(
    admitted: Admitted, door: owners.Outside, connection_id: PathId, body: ConnectionRotate | None = None
) -> ConnectionWithSecret:
    """Take new credentials of one of the platform's own into use, as `POST /connections/{id}/rotate` does."""
    return await owners.rotate(admitted, door, connection_id, body)


@router.post("/platform/connections/{connection_id}/default", operation_id="make_platform_default")
@needs("platform:settings")
async def make_default(call: Called, connection_id: PathId) -> ConnectionAnswer:
    """Let this one send for projects that have none on its channel, in place of the default before it."""
    row = await find_to_change(call, connection_id)
    before = await shown(call, row)
    if not row.is_default:
        await end_default(call, level_of(row))
        row.is_default = True
    return await owners.changed(call, row, "connection.updated", before)


@router.patch("/platform/connections/{connection_id}/suspend", operation_id="suspend_any_connection")
@needs("platform:connections")
async def suspend_any(call: Called, connection_id: PathId, body: ConnectionSuspension) -> AnyConnection:
    """Send nothing more over it, on every process within a second; only the platform can take it back."""
    async with _within(call, connection_id) as there:
        row, before = await suspend(there, connection_id, "platform", body.reason)
        after = await owners.changed(there, row, "connection.suspended", before, reason=body.reason)
    return await _noted(call, there, "connection.suspended", after, reason=body.reason)


@router.patch("/platform/connections/{connection_id}/activate", operation_id="activate_any_connection")
@needs("platform:connections")
async def activate_any(call: Called, connection_id: PathId) -> AnyConnection:
    """Take a suspension back, whoever made it."""
    async with _within(call, connection_id) as there:
        row, before = await activate(there, connection_id, "platform")
        after = await owners.changed(there, row, "connection.activated", before)
    return await _noted(call, there, "connection.activated", after)


@router.patch("/platform/connections/{connection_id}/limits", operation_id="limit_any_connection")
@needs("platform:connections")
async def limit_any(call: Called, connection_id: PathId, body: LimitsUpdate) -> AnyConnection:
    """Set ceilings that neither its owner nor the project's admins can go above."""
    async with _within(call, connection_id) as there:
        row = await find_to_step_in(there, connection_id)
        before = await shown(there, row)
        limit(row, "platform", body)
        after = await owners.changed(there, row, "connection.limited", before)
    return await _noted(call, there, "connection.limited", after)


@router.post("/platform/connections/{connection_id}/access", operation_id="access_any_connection")
@needs("platform:connections", network_first=True)
async def access(
    admitted: Admitted, door: owners.Outside, connection_id: PathId, body: ConnectionAccess
) -> ConnectionLook:
    """Look into a connection of any project, as `POST /connections/{id}/access` does; its owner is told by mail."""
    async with admitted.transaction() as asked:
        async with _within(asked, connection_id) as there:
            look = await begin(there, connection_id, body)
        if there.project_id != PLATFORM_ID:
            told = {"project": str(there.project_id), "visit": str(look.visit.id), "reason": body.reason}
            await asked.audit("connection.accessed", "connection", connection_id, after=told)
    outcome, inbound = await ask(look, door)
    async with _within(await admitted.begin(), connection_id) as there:
        return await report(there, look, outcome, inbound)


@asynccontextmanager
async def _within(call: Call, connection_id: UUID) -> AsyncIterator[Call]:
    """The caller inside the project of a live connection, as somebody who steps in. Raises NotFound."""
    project_id = await _project_of(call, connection_id)
    if project_id == PLATFORM_ID:
        yield call
        return
    principal = replace(
        call.principal,
        kind="platform_admin",
        project_id=project_id,
        env="live",
        permissions=frozenset({"connections:manage_all"}),
        admin_id=call.principal.user_id,
        user_id=None,
    )
    async with call.inside(project_id) as session:
        yield replace(call, principal=principal, session=session)


async def _project_of(call: Call, connection_id: UUID) -> UUID:
    query = select(Connection.project_id).where(Connection.id == connection_id, Connection.env == "live")
    async with call.gate.across.unscoped() as across:
        project_id = (await across.scalars(query)).one_or_none()
    if project_id is None:
        raise NotFound()
    return project_id


async def _noted(call: Call, there: Call, action: str, after: ConnectionAnswer, **told: str) -> AnyConnection:
    """What was done inside a project, on the platform's own record as well."""
    if there.project_id != PLATFORM_ID:
        seen = {"project": str(there.project_id), "status": after.status}
        await call.audit(action, "connection", after.id, after=seen, **told)
    return _placed(there, after)


def _placed(there: Call, answer: ConnectionAnswer) -> AnyConnection:
    return AnyConnection(**answer.model_dump(), project_id=there.project_id)
