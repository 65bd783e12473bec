"""A connection with its address and its places as they were at one moment: what an import keeps and puts back."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tocsin.connections.claims import TAKEN
from tocsin.connections.hooks import find_hook
from tocsin.connections.models import Connection, Destination
from tocsin.connections.rows import answered, audited, opened_credentials
from tocsin.connections.waiting import hasten_deliveries
from tocsin.connections.within import Within
from tocsin.kit.crypto import Unreadable


class Place(msgspec.Struct, frozen=True):
    name: str
    target: str
    enabled: bool


class Snapshot(msgspec.Struct, frozen=True):
    """``credentials`` and ``hook_secret`` are opened, so that data keys may rotate; None where they do not open.

    ``hook_`` is of the address at which the provider calls. ``places`` are destinations by their ids.
    """

    name: str
    settings: dict[str, Any]
    credentials: str | None
    is_default: bool
    use_as_fallback: bool
    verified_at: datetime | None
    account: dict[str, Any] | None
    status: str
    status_reason: str | None
    health_status: str
    last_health_check: datetime | None
    refusals: int
    hook_token: str | None
    hook_secret: str | None
    hook_registered_at: datetime | None
    hook_polled_after: str | None
    places: dict[str, Place]
    account_claim: bytes | None = None


OF_ROW = Snapshot.__struct_fields__[: Snapshot.__struct_fields__.index("hook_token")]
"""What stands in the row of the connection itself."""

NOTED = frozenset(
    {
        "account",
        "status",
        "status_reason",
        "health_status",
        "last_health_check",
        "refusals",
        "account_claim",
        "hook_registered_at",
        "hook_polled_after",
    }
)
"""What changes by itself while a connection works, and says nothing about somebody's having changed it."""


async def snapshot_of(within: Within, row: Connection) -> Snapshot:
    """The row as it is stored, and what belongs to it."""
    await within.session.flush()
    await within.session.refresh(row)
    hook = await find_hook(within.session, row.id)
    places = await within.session.scalars(select(Destination).where(Destination.connection_id == row.id))
    return Snapshot(
        **{name: getattr(row, name) for name in OF_ROW if name != "credentials"},
        credentials=await readable(within, "connections", row.id, "credentials", row.credentials),
        hook_token=hook.token if hook else None,
        hook_secret=await readable(within, "hooks", row.id, "secret", hook.secret) if hook else None,
        hook_registered_at=hook.registered_at if hook else None,
        hook_polled_after=hook.polled_after if hook else None,
        account_claim=row.account_claim,
        places={str(place.id): Place(place.name, place.target, place.enabled) for place in places},
    )


async def shown_on_record(within: Within, row: Connection) -> dict[str, Any]:
    """A connection as the audit log shows it."""
    return audited(answered(row, await opened_credentials(within, row)))


async def readable(within: Within, table: str, row: UUID, field: str, sealed: str | None) -> str | None:
    """A secret, or None where there is none or its key is gone."""
    try:
        return None if sealed is None else await within.open(table, row, field, sealed)
    except Unreadable:
        return None


def differing(one: Snapshot, other: Snapshot) -> set[str]:
    return {name for name in Snapshot.__struct_fields__ if getattr(one, name) != getattr(other, name)}


async def put_back(within: Within, row: Connection, before: Snapshot, names: set[str]) -> None:
    """Set what ``names`` names as it was."""
    for name in names.intersection(OF_ROW) - {"credentials"}:
        setattr(row, name, getattr(before, name))
    if "credentials" in names:
        plain = before.credentials
        sealed = None if plain is None else await within.seal("connections", row.id, "credentials", plain)
        row.credentials = sealed
    await _put_hook_back(within, row.id, before, names)
    if "places" in names:
        await _put_places_back(within, row.id, before.places)
    await within.session.flush()
    if "account_claim" in names:
        await _claim_again(within, row, before.account_claim)
    if "status" in names and row.status == "active":
        await hasten_deliveries(within, row.channel)


async def _claim_again(within: Within, row: Connection, claim: bytes | None) -> None:
    """Have the account at the provider again, unless another connection has proven it meanwhile."""
    try:
        async with within.session.begin_nested():
            row.account_claim = claim
            await within.session.flush()
    except IntegrityError:
        await within.session.refresh(row)
        row.status, row.status_reason = "error", TAKEN
        await within.session.flush()


async def _put_hook_back(within: Within, connection_id: UUID, before: Snapshot, names: set[str]) -> None:
    hook = await find_hook(within.session, connection_id)
    if hook is None or before.hook_token is None:
        return  # an address that it did not have before stays: nobody else knows it
    if "hook_secret" in names and before.hook_secret is not None:
        hook.secret = await within.seal("hooks", connection_id, "secret", before.hook_secret)
    for name in names & {"hook_token", "hook_registered_at", "hook_polled_after"}:
        setattr(hook, name.removeprefix("hook_"), getattr(before, name))


async def _put_places_back(within: Within, connection_id: UUID, before: dict[str, Place]) -> None:
    places = await within.session.scalars(select(Destination).where(Destination.connection_id == connection_id))
    for place in places.all():
        was = before.get(str(place.id))
        if was is None:
            await within.session.delete(place)
        else:
            place.name, place.target, place.enabled = was.name, was.target, was.enabled
