"""Providers and the project's connections over HTTP."""

from typing import Annotated, cast

from fastapi import Depends, Query, Request, Response
from sqlalchemy import select

from tocsin.auth.guard import Admitted, Call, Called, guarded_router, needs
from tocsin.channels.contract import Registers
from tocsin.channels.registry import providers
from tocsin.connections.configuration import (
    Configuration,
    check_still_trusted,
    configured,
    connectable,
    installed,
    main_secret,
    merged,
    proven_by_making,
)
from tocsin.connections.hooks import find_hook, make_hook, regenerate_hook
from tocsin.connections.leading import farewell_of
from tocsin.connections.models import Connection
from tocsin.connections.rows import (
    audited,
    end_default,
    find,
    find_to_change,
    is_first,
    opened_credentials,
    sealed,
    seen_of,
    shown,
)
from tocsin.connections.schemas import (
    ConnectionAnswer,
    ConnectionCreate,
    ConnectionUpdate,
    ConnectionWithSecret,
    ProviderAnswer,
    Status,
    VerifyAnswer,
    VerifyBody,
)
from tocsin.connections.trial import prepared, recorded, tried
from tocsin.connections.waiting import hasten_deliveries
from tocsin.kit.errors import Conflict, FieldError, Invalid
from tocsin.kit.http import Door
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.plans.entitlements import check_feature
from tocsin.plans.totals import room_for, total_of

router = guarded_router(tags=["connections"])


def _door(request: Request) -> Door:
    return cast(Door, request.app.state.door)


Outside = Annotated[Door, Depends(_door)]


@router.get("/providers")
@needs("connections:read")
async def list_providers(call: Called) -> list[ProviderAnswer]:
    """Every way of sending, with the forms of its settings and credentials."""
    return [ProviderAnswer.model_validate(provider.describe()) for provider in providers().values()]


@router.post("/connections", operation_id="create_connection", status_code=201)
@needs("connections:manage", network_first=True)
async def create(admitted: Admitted, door: Outside, body: ConnectionCreate) -> ConnectionWithSecret:
    """Connect an account at a provider. It sends once it is `active`: at once or after `verify`."""
    if body.owner != "project":
        detail = "Only connections of the project can be made."
        raise Invalid([FieldError("/owner", "owner_not_supported", detail)])
    channel = connectable(body.provider)
    issued = None if body.credentials else channel.issue()
    wanted = configured(channel, body.settings, issued.revealed() if issued else body.credentials)
    await wanted.check(door)
    call = await admitted.begin()
    if channel.channel == "webhook":
        await check_feature(call.session, call.project_id, "webhooks")
    total = total_of(channel.channel)
    async with room_for(call.session, call.project_id, call.env, *([total] if total else [])):
        row = await _insert(call, body, wanted)
    answer = await shown(call, row)
    await call.audit("connection.created", "connection", row.id, after=audited(answer))
    return _with_secret(answer, main_secret(wanted.credentials) if issued else None)


async def _insert(call: Call, body: ConnectionCreate, wanted: Configuration) -> Connection:
    channel, id_ = wanted.channel, new_id()
    first = await is_first(call, channel.channel)
    is_default = first if body.is_default is None else body.is_default
    if is_default and not first:
        await end_default(call, channel.channel)
    row = Connection(
        project_id=call.project_id,
        id=id_,
        env=call.env,
        provider=channel.provider,
        channel=channel.channel,
        owner="project",
        name=body.name,
        credentials=await sealed(call, id_, wanted.credentials),
        settings=wanted.settings.revealed(),
        is_default=is_default,
        use_as_fallback=body.use_as_fallback,
        status="active" if proven_by_making(channel) else "pending",
        created_by=call.principal.user_id,
    )
    call.session.add(row)
    await call.session.flush()
    await make_hook(call, row)
    if row.status == "active":
        await hasten_deliveries(call, row.channel)
    return row


def _with_secret(answer: ConnectionAnswer, secret: str | None) -> ConnectionWithSecret:
    return ConnectionWithSecret(**answer.model_dump(), secret=secret)


@router.get("/connections")
@needs("connections:read")
async def list_connections(
    call: Called,
    paging: Annotated[Paging, Depends()],
    provider: Annotated[str | None, Query(max_length=63)] = None,
    channel: Annotated[str | None, Query(max_length=63)] = None,
    status: Status | None = None,
) -> Page[ConnectionAnswer]:
    query = select(Connection)
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
@needs("connections:read")
async def read(call: Called, connection_id: PathId) -> ConnectionAnswer:
    return await shown(call, await find(call, connection_id))


@router.put("/connections/{connection_id}", operation_id="change_connection")
@needs("connections:manage", network_first=True)
async def change(admitted: Admitted, door: Outside, connection_id: PathId, body: ConnectionUpdate) -> ConnectionAnswer:
    """Change what is sent. New credentials of an account at a provider have to be verified again."""
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
        await _reconfigure(call, row, wanted)
    await _rename(call, row, body)
    await call.session.flush()
    await call.session.refresh(row)
    answer = await shown(call, row)
    await call.audit("connection.updated", "connection", row.id, before=audited(before), after=audited(answer))
    return answer


async def _wanted(call: Call, row: Connection, body: ConnectionUpdate) -> Configuration | None:
    """The configuration after a change, or None when it stays."""
    if body.settings is None and body.credentials is None:
        return None
    channel = installed(row.provider)
    credentials = merged(await opened_credentials(call, row), body.credentials or {})
    wanted = configured(channel, row.settings if body.settings is None else body.settings, credentials)
    check_still_trusted(channel, row.settings, wanted, body.credentials or {})
    return wanted


async def _reconfigure(call: Call, row: Connection, wanted: Configuration) -> None:
    row.settings = wanted.settings.revealed()
    if await opened_credentials(call, row) == wanted.credentials:
        return
    row.credentials = await sealed(call, row.id, wanted.credentials)
    hook = await find_hook(call.session, row.id) if isinstance(wanted.channel, Registers) else None
    if hook is not None:
        # The account of before is not heard here any more. Where people enter the address by hand it stays: a token
        # is renewed there without a change at the provider, and who signs is told by the credentials.
        await regenerate_hook(call, hook)
    await _unproven(call, row, "active" if proven_by_making(wanted.channel) else "pending")


async def _unproven(call: Call, row: Connection, status: Status) -> None:
    """What was known of the old credentials does not hold for the new ones; a suspension does."""
    if row.status != "suspended":
        if status == "active" != row.status:
            await hasten_deliveries(call, row.channel)
        row.status, row.status_reason = status, None
    row.account = row.verified_at = row.last_health_check = None
    row.health_status = "unknown"


async def _rename(call: Call, row: Connection, body: ConnectionUpdate) -> None:
    """Change what does not need a provider's word."""
    if body.is_default and not row.is_default:
        await end_default(call, row.channel)
    for name in ("name", "is_default", "use_as_fallback"):
        value = getattr(body, name)
        if value is not None:
            setattr(row, name, value)


@router.delete("/connections/{connection_id}", operation_id="delete_connection", status_code=204)
@needs("connections:manage", network_first=True)
async def delete(admitted: Admitted, door: Outside, connection_id: PathId) -> Response:
    """Remove a connection with its credentials. What waits for it is sent by the next one that fits."""
    async with admitted.transaction() as call:
        row = await find_to_change(call, connection_id)
        before = await shown(call, row)
        farewell = await farewell_of(call, row, await opened_credentials(call, row))
        await call.session.delete(row)
        await call.audit("connection.deleted", "connection", row.id, before=audited(before))
    if farewell is not None:
        await farewell.say(door)
    return Response(status_code=204)


@router.post("/connections/{connection_id}/verify", operation_id="verify_connection")
@needs("connections:manage", network_first=True)
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
@needs("connections:manage")
async def rotate(call: Called, connection_id: PathId) -> ConnectionWithSecret:
    """Make new credentials where they are ours to make, shown once; the previous secret stays valid beside them.

    Ends the overlap: `PUT` with `"credentials": {"previousSecret": null}`, or another rotation.
    """
    row = await find_to_change(call, connection_id)
    before = await shown(call, row)
    issued = installed(row.provider).issue(await opened_credentials(call, row))
    if issued is None:
        raise Conflict("not_rotatable", "The provider makes these credentials: change them there, then here.")
    row.credentials = await sealed(call, row.id, issued)
    await _unproven(call, row, "active")
    await call.session.flush()
    await call.session.refresh(row)
    answer = await shown(call, row)
    await call.audit("connection.rotated", "connection", row.id, before=audited(before), after=audited(answer))
    return _with_secret(answer, main_secret(issued))
