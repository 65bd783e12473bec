"""Finding connections, sealing and opening what is in them, and their one default.

Whoever reads connections sees the project's and their own. Those of other people are seen with
``connections:manage_all``, changed by themselves alone, and their credentials are shown to nobody else.
"""

from typing import Any, NamedTuple, cast
from uuid import UUID

import msgspec
from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true, update

from tocsin.auth.call import Call
from tocsin.channels.contract import Described
from tocsin.channels.registry import providers
from tocsin.connections.limits import ceilings_of, limits_of
from tocsin.connections.models import Connection
from tocsin.connections.schemas import ConnectionAnswer, Owner
from tocsin.connections.within import Within
from tocsin.kit.crypto import Unreadable
from tocsin.kit.errors import Conflict, Forbidden, NotFound

Seen = tuple[Described | str | None, dict[str, Any]]
"""What of a row must not have changed while the network was asked: its opened credentials, and its settings.

Not the sealed text, which another data key changes and nothing else.
"""


class Level(NamedTuple):
    """Where there is one default: a channel of the platform, of the project, or of one person."""

    owner: Owner
    user_id: UUID | None
    channel: str


def level_of(row: Connection) -> Level:
    return Level(cast(Owner, row.owner), row.user_id, row.channel)


def seen_by(call: Call) -> ColumnElement[bool]:
    """The connections that the caller may know of."""
    own = and_(Connection.owner == "user", Connection.user_id == call.principal.user_id)
    if call.own_only:
        return own
    return true() if call.principal.may("connections:manage_all") else or_(Connection.owner != "user", own)


async def find(call: Call, connection_id: UUID) -> Connection:
    """A connection that the caller may know of. Raises NotFound."""
    query = select(Connection).where(Connection.id == connection_id, seen_by(call))
    row = (await call.session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound()
    return row


async def find_to_step_in(call: Call, connection_id: UUID) -> Connection:
    """The same, whoever it belongs to, locked until the end of the transaction.

    Raises NotFound, and Forbidden for a test caller before a live row.
    """
    row = await find(call, connection_id)
    call.write_to(row.env)
    await call.session.refresh(row, with_for_update=True)
    return row


async def find_to_change(call: Call, connection_id: UUID, seen: Seen | None = None) -> Connection:
    """The same for its owner alone. Raises Conflict when it is not as ``seen``."""
    row = await find_to_step_in(call, connection_id)
    if is_somebody_elses(call, row):
        raise Forbidden("somebody_elses", "This connection belongs to a person; you may limit or suspend it.")
    if seen is not None and await seen_of(call, row) != seen:
        raise Conflict("connection_changed", "The connection was changed meanwhile; look at it and try again.")
    return row


async def seen_of(call: Call, row: Connection) -> Seen:
    return await opened_credentials(call, row) or row.credentials, row.settings


async def sealed(within: Within, connection_id: UUID, credentials: Described) -> str:
    plain = msgspec.json.encode(credentials.revealed()).decode()
    return await within.seal("connections", connection_id, "credentials", plain)


async def opened_credentials(within: Within, row: Connection) -> Described | None:
    """The credentials of a row, or None when they cannot be read."""
    provider = providers().get(row.provider)
    if provider is None:
        return None
    try:
        plain = "{}"
        if row.credentials is not None:
            plain = await within.open("connections", row.id, "credentials", row.credentials)
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


def is_somebody_elses(call: Call, row: Connection) -> bool:
    return row.owner == "user" and row.user_id != call.principal.user_id


async def is_first(within: Within, level: Level) -> bool:
    """Whether there is no connection at this level yet; stays true until the end of the transaction."""
    await hold(within, level)
    return not await within.session.scalar(select(exists().where(*at(within, level))))


async def end_default(within: Within, level: Level) -> None:
    """Make room for another default, in the same transaction."""
    await hold(within, level)
    await within.session.execute(
        update(Connection).where(*at(within, level), Connection.is_default).values(is_default=False)
    )


async def hold(within: Within, level: Level) -> None:
    """Let one transaction at a time add to a level or decide about its default."""
    name = f"connections {within.project_id} {within.env} {level.channel} {level.user_id or ''}"
    await within.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def at(within: Within, level: Level) -> tuple[ColumnElement[bool], ...]:
    """The connections of a level."""
    return (
        Connection.env == within.env,
        Connection.channel == level.channel,
        Connection.owner == level.owner,
        Connection.user_id.is_not_distinct_from(level.user_id),
    )


async def shown(call: Call, row: Connection) -> ConnectionAnswer:
    """A connection as the API shows it."""
    return answered(row, None if _hidden(call, row) else await opened_credentials(call, row))


def answered(row: Connection, credentials: Described | None) -> ConnectionAnswer:
    """A connection with these credentials, masked; None shows none."""
    settings = read_settings(row)
    made = ("settings", "credentials", "verified", "limits", "ceilings")
    values = {name: getattr(row, name) for name in ConnectionAnswer.model_fields if name not in made}
    return ConnectionAnswer.model_validate(
        {
            **values,
            "settings": settings.masked() if settings else None,
            "credentials": credentials.masked() if credentials else None,
            "verified": row.verified_at is not None,
            "limits": limits_of(row),
            "ceilings": ceilings_of(row),
        }
    )


def _hidden(call: Call, row: Connection) -> bool:
    """Whether not even masked credentials are shown: to other people, and to the platform of what is a project's."""
    stepping_in = call.principal.kind == "platform_admin" and call.principal.visit is None
    return stepping_in or is_somebody_elses(call, row)


def audited(answer: ConnectionAnswer) -> dict[str, Any]:
    """What the audit log keeps: what the API shows, but of a person's own no credentials, since others read the log."""
    kept = answer.model_dump(mode="json", by_alias=True)
    return kept if answer.owner != "user" else {**kept, "credentials": None}
