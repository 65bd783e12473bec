"""Destinations of a connection over HTTP: named places that are no person, which rules name (C12)."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Response
from pydantic import Field, StringConstraints
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.connections.configuration import installed
from tocsin.connections.models import Connection, Destination
from tocsin.connections.rows import find, find_to_change
from tocsin.kit.db import violated
from tocsin.kit.errors import Conflict, FieldError, Invalid, NotFound
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import Answer, Body, PathId, Text, Time, unsent

router = guarded_router(tags=["connections"])

MOST = 200
"""Of one connection."""

Name = Annotated[
    Text,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$"),
    Field(description="What rules name in `targetDestinations`.", examples=["orders"]),
]
Address = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=500),
    Field(description="As the provider names the place: a topic, a chat, a mailbox.", examples=["shop-orders"]),
]


class DestinationCreate(Body):
    name: Name
    address: Address
    enabled: bool = True


class DestinationUpdate(Body):
    """What is left out stays as it is."""

    name: Name = unsent()
    address: Address = unsent()
    enabled: bool = unsent()


class DestinationAnswer(Answer):
    id: UUID
    env: Literal["live", "test"]
    connection_id: UUID
    name: str
    address: str
    enabled: bool = Field(description="One that is switched off gets nothing, and no other place gets it instead.")
    created_at: Time
    updated_at: Time


@router.post("/connections/{connection_id}/destinations", operation_id="create_destination", status_code=201)
@needs("connections:manage", own=True)
async def create(call: Called, connection_id: PathId, body: DestinationCreate) -> DestinationAnswer:
    """Give a place a name. Rules that name it reach it through this connection."""
    connection = await find_to_change(call, connection_id)
    _check(connection, body.address)
    count = select(func.count()).select_from(Destination).where(Destination.connection_id == connection.id)
    if (await call.session.scalars(count)).one() >= MOST:
        raise Conflict("too_many_destinations", f"A connection has {MOST} destinations at the most.")
    row = Destination(
        project_id=call.project_id,
        id=new_id(),
        env=connection.env,
        connection_id=connection.id,
        name=body.name,
        target=body.address,
        enabled=body.enabled,
    )
    call.session.add(row)
    answer = await _saved(call, row)
    await call.audit("destination.created", "destination", row.id, after=_audited(answer))
    return answer


@router.get("/connections/{connection_id}/destinations")
@needs("connections:read", own=True)
async def list_destinations(
    call: Called, connection_id: PathId, paging: Annotated[Paging, Depends()]
) -> Page[DestinationAnswer]:
    connection = await find(call, connection_id)
    query = select(Destination).where(Destination.connection_id == connection.id)
    found: dict[str, Any] = await page(
        call.session, query, Destination.id, paging, call.gate.cursors, call.place, _shown
    )
    return Page[DestinationAnswer](**found)


@router.get("/connections/{connection_id}/destinations/{destination_id}", operation_id="read_destination")
@needs("connections:read", own=True)
async def read(call: Called, connection_id: PathId, destination_id: PathId) -> DestinationAnswer:
    connection = await find(call, connection_id)
    return _shown(await _find(call, connection, destination_id))


@router.put("/connections/{connection_id}/destinations/{destination_id}", operation_id="change_destination")
@needs("connections:manage", own=True)
async def change(
    call: Called, connection_id: PathId, destination_id: PathId, body: DestinationUpdate
) -> DestinationAnswer:
    """What waits is sent to the address as it is then."""
    connection = await find_to_change(call, connection_id)
    row = await _find(call, connection, destination_id)
    before = _shown(row)
    sent = body.model_dump(exclude_unset=True)
    if "address" in sent:
        _check(connection, sent["address"])
        row.target = sent.pop("address")
    for name, value in sent.items():
        setattr(row, name, value)
    answer = await _saved(call, row)
    await call.audit("destination.updated", "destination", row.id, before=_audited(before), after=_audited(answer))
    return answer


@router.delete(
    "/connections/{connection_id}/destinations/{destination_id}", operation_id="delete_destination", status_code=204
)
@needs("connections:manage", own=True)
async def delete(call: Called, connection_id: PathId, destination_id: PathId) -> Response:
    """Forget a place. What waits for it is not sent, to nobody else either."""
    connection = await find_to_change(call, connection_id)
    row = await _find(call, connection, destination_id)
    before = _shown(row)
    await call.session.delete(row)
    await call.audit("destination.deleted", "destination", row.id, before=_audited(before))
    return Response(status_code=204)


async def _find(call: Call, connection: Connection, destination_id: UUID) -> Destination:
    query = select(Destination).where(Destination.id == destination_id, Destination.connection_id == connection.id)
    row = (await call.session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound()
    return row


def _check(connection: Connection, address: str) -> None:
    """Raises Conflict where the provider reaches no places by name, Invalid for an address that is none."""
    channel = installed(connection.provider)
    if not channel.has_destinations:
        raise Conflict("no_destinations", f"A connection of {channel.title} leads to one place, and has no others.")
    if problem := channel.address_problem(address):
        raise Invalid([FieldError("/address", "invalid_address", problem)])


async def _saved(call: Call, row: Destination) -> DestinationAnswer:
    """Raises Conflict when the connection has another one of that name."""
    try:
        await call.session.flush()
    except IntegrityError as error:
        if violated(error) != "destinations_name_taken":
            raise
        raise Conflict("name_taken", "The connection has a destination of that name.") from None
    await call.session.refresh(row)
    return _shown(row)


def _shown(row: Destination) -> DestinationAnswer:
    names = ("id", "env", "connection_id", "name", "enabled", "created_at", "updated_at")
    return DestinationAnswer(address=row.target, **{name: getattr(row, name) for name in names})


def _audited(answer: DestinationAnswer) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True)
