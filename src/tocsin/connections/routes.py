"""Providers and connections over HTTP, for their owners; ``stepping_in_routes.py`` is for those who watch over them."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from sqlalchemy import select

from tocsin.auth.call import Call
from tocsin.auth.guard import Admission, Admitted, Called, guarded_router, needs
from tocsin.channels.registry import providers
from tocsin.connections.announce import announce
from tocsin.connections.configuration import (
    Configuration,
    check_still_trusted,
    configured,
    connectable,
    installed,
    main_secret,
    merged,
)
from tocsin.connections.leading import bid, farewell_of
from tocsin.connections.limits import LimitsUpdate, Setter, capped_by, limit
from tocsin.connections.models import Connection
from tocsin.connections.rows import (
    Level,
    audited,
    end_default,
    find,
    find_to_change,
    find_to_step_in,
    is_somebody_elses,
    level_of,
    opened_credentials,
    sealed,
    seen_by,
    seen_of,
    shown,
)
from tocsin.connections.schemas import (
    ConnectionAnswer,
    ConnectionCreate,
    ConnectionFields,
    ConnectionRotate,
    ConnectionUpdate,
    ConnectionWithSecret,
    Owner,
    ProviderAnswer,
    Status,
    VerifyAnswer,
    VerifyBody,
)
from tocsin.connections.storing import added, reconfigure, unproven
from tocsin.connections.trial import prepared, recorded, tried
from tocsin.kit.errors import Conflict, FieldError, Forbidden, Invalid
from tocsin.kit.http import Door
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import FilterId, PathId
from tocsin.plans.entitlements import check_feature
from tocsin.plans.totals import room_for, total_of

router = guarded_router(tags=["connections"])


def _door(request: Request) -> Door:
    return cast(Door, request.app.state.door)


Outside = Annotated[Door, Depends(_door)]


@router.get("/providers")
@needs("connections:read", own=True)
async def list_providers(call: Called) -> list[ProviderAnswer]:
    """Every way of sending, with the forms of its settings and credentials."""
    return [ProviderAnswer.model_validate(provider.describe()) for provider in providers().values()]


@router.post("/connections", operation_id="create_connection", status_code=201)
@needs("connections:manage", own=True, network_first=True)
async def create(admitted: Admitted, door: Outside, body: ConnectionCreate) -> ConnectionWithSecret:
    """Connect an account at a provider. It sends once it is `active`: at once or after `verify`."""
    return await made(admitted, door, body, body.owner)


async def made(admitted: Admission, door: Door, body: ConnectionFields, owner: Owner | None) -> ConnectionWithSecret:
    """A new connection of this owner; None is the caller, if they may make none but their own, else the project."""
    channel = connectable(body.provider)
    issued = None if body.credentials else channel.issue()
    wanted = configured(channel, body.settings, issued.revealed() if issued else body.credentials)
    await wanted.check(door)
    call = await admitted.begin()
    level = _level(call, wanted, owner)
    total = total_of(channel.channel) if level.owner == "project" else None
    async with room_for(call.session, call.project_id, call.env, *([total] if total else [])):
        if channel.channel == "webhook":
            await check_feature(call.session, call.project_id, "webhooks")
        row = await added(call, body, wanted, level, call.principal.user_id)
    answer = await shown(call, row)
    await call.audit("connection.created", "connection", row.id, after=audited(answer))
    return _with_secret(answer, main_secret(wanted.credentials) if issued else None)


def _level(call: Call, wanted: Configuration, owner: Owner | None) -> Level:
    """Where a new connection will stand. Raises Forbidden and Invalid."""
    channel = wanted.channel
    if call.own_only and owner == "project":
        raise Forbidden("permission_missing", "This needs the permission connections:manage.")
    owner = owner or ("user" if call.own_only else "project")
    if owner == "project":
        return Level(owner, None, channel.channel)
    if channel.reaches != "person":
        # A project's messages never go to the platform's chats (C12).
        raise _not_yours("This provider reaches the project and not a person, so only a project can have one.")
    if owner == "platform":
        return Level(owner, None, channel.channel)
    if call.principal.user_id is None:
        raise _not_yours("Only somebody who is signed in can have a connection of their own.")
    return Level(owner, call.principal.user_id, channel.channel)


def _not_yours(detail: str) -> Invalid:
    return Invalid([FieldError("/owner", "owner_not_supported", detail)])


def _with_secret(answer: ConnectionAnswer, secret: str | None) -> ConnectionWithSecret:
    return ConnectionWithSecret(**answer.model_dump(), secret=secret)


@router.get("/connections")
@needs("connections:read", own=True)
async def list_connections(
    call: Called,
    paging: Annotated[Paging, Depends()],
    provider: Annotated[str | None, Query(max_length=63)] = None,
    channel: Annotated[str | None, Query(max_length=63)] = None,
    status: Status | None = None,
    owner: Owner | None = None,
    userId: Annotated[FilterId | None, Query()] = None,
) -> Page[ConnectionAnswer]:
    """The project's connections and one's own; with `connections:manage_all` everybody's."""
    query = select(Connection).where(seen_by(call))
    if owner is not None:
        query = query.where(Connection.owner == owner)
    if userId is not None:
        query = query.where(Connection.user_id == userId)
    if provider is not None:
        query = query.where(Connection.provider == provider)
    if channel is not None:
        query = query.where(Connection.channel == channel)
    if status is not None:
        query = query.where(Connection.status == status)
    found = await page(call.session, query, Connection.id, paging, call.gate.cursors, call.place, lambda row: row)
    items = [await shown(call, row) for row in found["items"]]
    return Page[ConnectionAnswer](items=items, nextCursor=found["nextCursor"])


@router.get("/connections/{connection_id}", operation_id="read_connection")
@needs("connections:read", own=True)
async def read(call: Called, connection_id: PathId) -> ConnectionAnswer:
    return await shown(call, await find(call, connection_id))


@router.put("/connections/{connection_id}", operation_id="change_connection")
@needs("connections:manage", own=True, network_first=True)
async def change(admitted: Admitted, door: Outside, connection_id: PathId, body: ConnectionUpdate) -> ConnectionAnswer:
    """Change what is sent. New credentials of an account at a provider have to be verified again."""
    return await _changed(admitted, door, connection_id, body, "connection.updated")


async def _changed(
    admitted: Admission, door: Door, connection_id: UUID, body: ConnectionUpdate, action: str
) -> ConnectionAnswer:
    async with admitted.transaction() as look:
        row = await find_to_change(look, connection_id)
        seen = await seen_of(look, row)
        wanted = await _wanted(look, row, body)
    if wanted is not None:
        await wanted.check(door)
    call = await admitted.begin()
    row = await find_to_change(call, connection_id, seen)
    before = await shown(call, row)
    if wanted is not None:
        current = await opened_credentials(call, row)
        if current != wanted.credentials:
            bid(call, await farewell_of(call, row, current))
        await reconfigure(call, row, wanted)
    await _rename(call, row, body)
    return await changed(call, row, action, before)


async def _wanted(call: Call, row: Connection, body: ConnectionUpdate) -> Configuration | None:
    """The configuration after a change, or None when it stays."""
    if body.settings is None and body.credentials is None:
        return None
    channel = installed(row.provider)
    credentials = merged(await opened_credentials(call, row), body.credentials or {})
    wanted = configured(channel, row.settings if body.settings is None else body.settings, credentials)
    check_still_trusted(channel, row.settings, wanted, body.credentials or {})
    return wanted


async def _rename(call: Call, row: Connection, body: ConnectionUpdate) -> None:
    """Change what does not need a provider's word."""
    if body.is_default and not row.is_default:
        await end_default(call, level_of(row))
    for name in ("name", "is_default", "use_as_fallback"):
        value = getattr(body, name)
        if value is not None:
            setattr(row, name, value)


@router.delete("/connections/{connection_id}", operation_id="delete_connection", status_code=204)
@needs("connections:manage", own=True)
async def delete(call: Called, connection_id: PathId) -> Response:
    """Remove a connection with its credentials. What waits for it is sent by the next one that fits."""
    row = await find_to_change(call, connection_id)
    if row.status == "suspended" and not _may_lift(call, row):
        detail = "An admin suspended it, and it cannot be replaced before they lift that."
        raise Conflict("connection_suspended", detail)
    if above := capped_by(row, _above(call, row)):
        who = "the platform's operator" if "platform" in above else "an admin of the project"
        detail = f"A ceiling is set on it, which a new one would not have; ask {who} to take it away, or keep this one."
        raise Conflict("connection_limited", detail)
    before = await shown(call, row)
    bid(call, await farewell_of(call, row, await opened_credentials(call, row)))
    await call.session.delete(row)
    await call.audit("connection.deleted", "connection", row.id, before=audited(before))
    return Response(status_code=204)


def _may_lift(call: Call, row: Connection) -> bool:
    return row.suspended_by != "platform" and call.principal.may("connections:manage_all")


def _above(call: Call, row: Connection) -> list[Setter]:
    """Whose ceilings the caller cannot take away."""
    if row.owner == "platform":
        return []
    return ["platform"] if call.principal.may("connections:manage_all") else ["platform", "project"]


@router.patch("/connections/{connection_id}/limits", operation_id="limit_connection")
@needs("connections:manage", own=True)
async def set_limits(call: Called, connection_id: PathId, body: LimitsUpdate) -> ConnectionAnswer:
    """Limit what is sent over it, on all processes together. Of somebody else's connection, this is a ceiling."""
    row = await find_to_step_in(call, connection_id)
    before = await shown(call, row)
    limit(row, "project" if is_somebody_elses(call, row) else "owner", body)
    return await changed(call, row, "connection.limited", before)


async def changed(call: Call, row: Connection, action: str, before: ConnectionAnswer, **told: str) -> ConnectionAnswer:
    """The row as it is stored now, on the record; its owner hears of another status."""
    await call.session.flush()
    await call.session.refresh(row)
    answer = await shown(call, row)
    announce(call, before, answer)
    await call.audit(action, "connection", row.id, before=audited(before), after=audited(answer), **told)
    return answer


@router.post("/connections/{connection_id}/verify", operation_id="verify_connection")
@needs("connections:manage", own=True, network_first=True)
async def verify(
    admitted: Admitted, door: Outside, connection_id: PathId, body: VerifyBody | None = None
) -> VerifyAnswer:
    """Ask the provider whether the credentials work, and send a test message when given a `target`.

    In the test environment nothing leaves the machine: the connection becomes `active` without being verified.
    """
    async with admitted.transaction() as look:
        wanted = body or VerifyBody()
        trial = await prepared(look, connection_id, wanted.target, take_over=wanted.take_over)
    outcome = await tried(trial, door)
    if outcome.problem is not None:
        # A transaction of its own: the refusal undoes that of the request.
        async with admitted.transaction() as note:
            await recorded(note, trial, outcome)
        raise outcome.problem
    return await recorded(await admitted.begin(), trial, outcome)


@router.post("/connections/{connection_id}/rotate", operation_id="rotate_connection")
@needs("connections:manage", own=True, network_first=True)
async def rotate(
    admitted: Admitted, door: Outside, connection_id: PathId, body: ConnectionRotate | None = None
) -> ConnectionWithSecret:
    """Take new credentials into use: those that are sent, or ours where they are ours to make.

    Sent ones have to be verified; nothing is sent with the old ones from now on. Ours are shown once, and the previous
    secret stays valid beside them, until `PUT` with `"credentials": {"previousSecret": null}` or another rotation.
    """
    if body is not None and body.credentials:
        update = ConnectionUpdate.model_validate({"credentials": body.credentials})
        return _with_secret(await _changed(admitted, door, connection_id, update, "connection.rotated"), None)
    call = await admitted.begin()
    row = await find_to_change(call, connection_id)
    before = await shown(call, row)
    issued = installed(row.provider).issue(await opened_credentials(call, row))
    if issued is None:
        raise Conflict("not_rotatable", "The provider makes these credentials: change them there, then send them here.")
    row.credentials = await sealed(call, row.id, issued)
    await unproven(call, row, "active")
    answer = await changed(call, row, "connection.rotated", before)
    return _with_secret(answer, main_secret(issued))
