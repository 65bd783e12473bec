"""Finding connections, sealing and opening what is in them, and their one default."""

from typing import Any
from uuid import UUID

import msgspec
from pydantic import ValidationError
from sqlalchemy import exists, func, select, update

from tocsin.auth.guard import Call
from tocsin.channels.contract import Described
from tocsin.channels.registry import providers
from tocsin.connections.models import Connection
from tocsin.connections.schemas import ConnectionAnswer
from tocsin.kit.crypto import Unreadable
from tocsin.kit.errors import Conflict, NotFound

Seen = tuple[Described | str | None, dict[str, Any]]
"""What of a row must not have changed while the network was asked: its opened credentials, and its settings.

Not the sealed text, which another data key changes and nothing else.
"""


async def find(call: Call, connection_id: UUID) -> Connection:
    """A connection of the project. Raises NotFound."""
    row = (await call.session.scalars(select(Connection).where(Connection.id == connection_id))).one_or_none()
    if row is None:
        raise NotFound()
    return row


async def find_to_change(call: Call, connection_id: UUID, seen: Seen | None = None) -> Connection:
    """The same, locked until the end of the transaction.

    Raises NotFound, Forbidden for a test caller before a live row, and Conflict when it is not as ``seen``.
    """
    row = await find(call, connection_id)
    call.write_to(row.env)
    await call.session.refresh(row, with_for_update=True)
    if seen is not None and await seen_of(call, row) != seen:
        raise Conflict("connection_changed", "The connection was changed meanwhile; look at it and try again.")
    return row


async def seen_of(call: Call, row: Connection) -> Seen:
    return await opened_credentials(call, row) or row.credentials, row.settings


async def sealed(call: Call, connection_id: UUID, credentials: Described) -> str:
    plain = msgspec.json.encode(credentials.revealed()).decode()
    return await call.seal("connections", connection_id, "credentials", plain)


async def opened_credentials(call: Call, row: Connection) -> Described | None:
    """The credentials of a row, or None when they cannot be read."""
    provider = providers().get(row.provider)
    if provider is None:
        return None
    try:
        plain = "{}"
        if row.credentials is not None:
            plain = await call.open("connections", row.id, "credentials", row.credentials)
        return provider.credentials.model_validate(msgspec.json.decode(plain))
    except (Unreadable, ValidationError):
        return None


def read_settings(row: Connection) -> Described | None:
    """The settings of a row, or None when its provider does not take them any more."""
    provider = providers().get(row.provider)
    try:
        return provider.settings.model_validate(row.settings) if provider else None
    except ValidationError:
        return None


async def is_first(call: Call, channel: str) -> bool:
    """Whether the project has no connection of this channel yet; stays true until the end of the transaction."""
    await _hold_channel(call, channel)
    return not await call.session.scalar(select(exists().where(*_shared(call, channel))))


async def end_default(call: Call, channel: str) -> None:
    """Make room for another default, in the same transaction."""
    await _hold_channel(call, channel)
    await call.session.execute(
        update(Connection).where(*_shared(call, channel), Connection.is_default).values(is_default=False)
    )


async def _hold_channel(call: Call, channel: str) -> None:
    """Let one transaction at a time decide about the default of a channel."""
    name = f"connections {call.project_id} {call.env} {channel}"
    await call.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def _shared(call: Call, channel: str) -> tuple[Any, ...]:
    return Connection.env == call.env, Connection.channel == channel, Connection.owner == "project"


async def shown(call: Call, row: Connection) -> ConnectionAnswer:
    """A connection as the API shows it."""
    settings = read_settings(row)
    credentials = await opened_credentials(call, row)
    values = {
        name: getattr(row, name)
        for name in ConnectionAnswer.model_fields
        if name not in ("settings", "credentials", "verified")
    }
    return ConnectionAnswer.model_validate(
        {
            **values,
            "settings": settings.masked() if settings else None,
            "credentials": credentials.masked() if credentials else None,
            "verified": row.verified_at is not None,
        }
    )


def audited(answer: ConnectionAnswer) -> dict[str, Any]:
    """What the audit log keeps: exactly what the API shows."""
    return answer.model_dump(mode="json", by_alias=True)
