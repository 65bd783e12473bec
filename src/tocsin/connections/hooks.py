"""Addresses at which a provider calls us back, one of each connection whose provider does (C7, C8).

The address holds a token that says which connection is meant and proves nothing; beside it stands a secret for
providers that show one with every call. Both are made here, can be made anew, and are of one connection alone.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from pydantic import ValidationError
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.channels.contract import Channel, Described, Inbound
from tocsin.channels.registry import providers
from tocsin.connections.models import Connection
from tocsin.connections.within import Within
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Table
from tocsin.kit.vault import Vault
from tocsin.settings import Settings

TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
_TOKEN_BYTES = 24
"""192 bits: the address is guessed by nobody."""
_SECRET_BYTES = 32
MOST_FOREIGN = 40
"""Characters that are kept of the name of an account that is not the connection's."""


class Hook(Table):
    """``secret`` is sealed. ``registered_at`` is when the provider was last told of the address, ``foreign_account``
    what it last told of that is not the connection's."""

    __tablename__ = "hooks"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    provider: Mapped[str]
    token: Mapped[str]
    secret: Mapped[str]
    registered_at: Mapped[datetime | None]
    last_received_at: Mapped[datetime | None]
    polled: Mapped[bool] = mapped_column(server_default=text("false"))
    polled_after: Mapped[str | None]
    foreign_account: Mapped[str | None]
    foreign_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Hooked:
    """A connection whose provider calls us, with what it takes to tell that it is the provider.

    ``paused_seconds`` are those that were left of a pause its provider asked for, when it was opened.
    """

    connection_id: UUID
    channel: Channel[Any, Any]
    inbound: Inbound[Any]
    status: str
    version: datetime
    account: dict[str, Any] | None
    settings: Described
    credentials: Described
    secret: str
    paused_seconds: float


async def make_hook(within: Within, connection: Connection) -> Hook | None:
    """Give a connection its address, if its provider calls back."""
    if not isinstance(providers().get(connection.provider), Inbound):
        return None
    hook = Hook(
        project_id=within.project_id,
        connection_id=connection.id,
        env=connection.env,
        provider=connection.provider,
        token=secrets.token_urlsafe(_TOKEN_BYTES),
        secret=await _new_secret(within, connection.id),
    )
    within.session.add(hook)
    await within.session.flush()
    return hook


async def hook_of(within: Within, connection: Connection) -> Hook | None:
    """The address of a connection, made now where its provider did not call back when the connection was made."""
    hook = await find_hook(within.session, connection.id)
    if hook is None:
        hook = await make_hook(within, connection)
        if hook is not None:
            connection.updated_at = func.now()  # its messages may name the address: what sends opens it anew
    return hook


def address_of(settings: Settings, hook: Hook) -> str | None:
    """Where the provider calls; None where the world cannot reach this installation."""
    if settings.public_url is None:
        return None
    return f"{settings.base_url}/api/v1/hooks/{hook.provider}/{hook.token}"


async def opened_secret(within: Within, hook: Hook) -> str:
    """Raises Unreadable."""
    return await within.open("hooks", hook.connection_id, "secret", hook.secret)


async def regenerate_hook(within: Within, hook: Hook) -> None:
    """Another address and another secret; what calls at the old one is refused from now on, and what an asking that
    is under way hears is not kept: it may be another account's."""
    hook.token = secrets.token_urlsafe(_TOKEN_BYTES)
    hook.secret = await _new_secret(within, hook.connection_id)
    hook.registered_at = None
    await within.session.flush()
    await within.session.execute(_BEGIN_ANEW, {"connection": hook.connection_id})


async def _new_secret(within: Within, connection_id: UUID) -> str:
    return await within.seal("hooks", connection_id, "secret", secrets.token_urlsafe(_SECRET_BYTES))


async def find_hook(session: AsyncSession, connection_id: UUID) -> Hook | None:
    return (await session.scalars(select(Hook).where(Hook.connection_id == connection_id))).one_or_none()


async def opened_hook(session: AsyncSession, vault: Vault, project_id: UUID, connection_id: UUID) -> Hooked | None:
    """The connection behind an address; None where it or its provider's package is gone. Raises Unreadable."""
    row = (await session.execute(_READ, {"connection": connection_id})).one_or_none()
    channel = providers().get(row.provider) if row is not None else None
    if row is None or not isinstance(channel, Channel) or not isinstance(channel, Inbound):
        return None
    secret = await vault.open(session, project_id, "hooks", connection_id, "secret", row.secret)
    plain = "{}"
    if row.credentials is not None:
        plain = await vault.open(session, project_id, "connections", connection_id, "credentials", row.credentials)
    try:
        settings = channel.settings.model_validate(row.settings)
        credentials = channel.credentials.model_validate(msgspec.json.decode(plain))
    except ValidationError:
        raise Unreadable("the provider does not take these settings or credentials any more") from None
    return Hooked(
        connection_id,
        channel,
        channel,
        row.status,
        row.updated_at,
        row.account,
        settings,
        credentials,
        secret,
        row.paused_seconds,
    )


async def note_foreign(connection: asyncpg.Connection, project_id: UUID, id_: UUID, account: str) -> None:
    """Keep that the address heard about another account than the connection's: the last one, to the minute."""
    await connection.execute(_NOTE_FOREIGN, project_id, id_, account[:MOST_FOREIGN])


_NOTE_FOREIGN = """
UPDATE tocsin.hooks SET foreign_account = $3, foreign_at = now()
WHERE project_id = $1 AND connection_id = $2
    AND (foreign_account IS DISTINCT FROM $3 OR foreign_at < now() - interval '1 minute')
"""
_BEGIN_ANEW = text("""
UPDATE tocsin.hooks SET polled_after = NULL, poll_token = NULL, poll_until = '-infinity'
WHERE connection_id = :connection
""")
_READ = text("""
SELECT c.provider, c.status, c.updated_at, c.account, c.settings, c.credentials, h.secret,
    CASE WHEN c.status = 'rate_limited' AND c.paused_until > now()
        THEN extract(epoch FROM c.paused_until - now())::float8 ELSE 0 END AS paused_seconds
FROM tocsin.connections c JOIN tocsin.hooks h ON h.project_id = c.project_id AND h.connection_id = c.id
WHERE c.id = :connection
""")
