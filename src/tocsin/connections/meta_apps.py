"""Apps at Meta with several numbers of a project under them (C8).

Meta calls one address per app, whichever of its numbers something is about. So an app that has more than one is
registered here: its address proves what comes by the app's secret, and leads to the numbers named under it alone.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.auth.call import Call
from tocsin.connections.models import Connection
from tocsin.kit.db import Table
from tocsin.kit.errors import FieldError, Invalid, NotFound
from tocsin.settings import Settings

PROVIDER = "whatsapp"
_TOKEN_BYTES = 24
_VERIFY_BYTES = 32
UNKNOWN_SHOWN = 50


class MetaApp(Table):
    """``app_secret`` and ``verify_token`` are sealed; ``token`` is the opaque part of the address."""

    __tablename__ = "meta_apps"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    name: Mapped[str]
    token: Mapped[str]
    app_secret: Mapped[str]
    verify_token: Mapped[str]
    handshake_at: Mapped[datetime | None]
    last_received_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class MetaAppNumber(Table):
    """A connection whose number is under an app; under one at the most."""

    __tablename__ = "meta_app_numbers"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    app_id: Mapped[UUID]
    env: Mapped[str]


class Unknown(NamedTuple):
    """A number that the app reported about and that is none of those under it."""

    phone_number_id: str
    items: int
    last_received_at: datetime


async def find(call: Call, app_id: UUID) -> MetaApp:
    """Raises NotFound."""
    row = (await call.session.scalars(select(MetaApp).where(MetaApp.id == app_id))).one_or_none()
    if row is None:
        raise NotFound()
    return row


async def find_to_change(call: Call, app_id: UUID) -> MetaApp:
    """The same, locked. Raises NotFound, and Forbidden for a test caller before a live row."""
    row = await find(call, app_id)
    call.write_to(row.env)
    await call.session.refresh(row, with_for_update=True)
    return row


async def give_address(call: Call, app: MetaApp) -> str:
    """A new address and a new verify token, which is returned; the old ones are refused from now on."""
    verify_token = secrets.token_urlsafe(_VERIFY_BYTES)
    app.token = secrets.token_urlsafe(_TOKEN_BYTES)
    app.verify_token = await call.seal("meta_apps", app.id, "verify_token", verify_token)
    app.handshake_at = None
    return verify_token


async def put_under(call: Call, app: MetaApp, connection_ids: Sequence[UUID]) -> None:
    """Exactly these connections are under the app from now on. Raises Invalid for one that cannot be."""
    wanted = list(dict.fromkeys(connection_ids))
    for index, id_ in enumerate(connection_ids):
        row = (await call.session.scalars(select(Connection).where(Connection.id == id_))).one_or_none()
        if row is None or row.provider != PROVIDER or row.env != app.env:
            detail = "This is no connection to a WhatsApp number of the project."
            raise Invalid([FieldError(f"/connectionIds/{index}", "unknown_connection", detail)])
        number = await call.session.get(MetaAppNumber, (call.project_id, id_))
        if number is not None and number.app_id != app.id:
            detail = "This number is under another app already."
            raise Invalid([FieldError(f"/connectionIds/{index}", "taken", detail)])
    await call.session.execute(delete(MetaAppNumber).where(MetaAppNumber.app_id == app.id))
    if wanted:
        rows = [
            {"project_id": call.project_id, "connection_id": id_, "app_id": app.id, "env": app.env} for id_ in wanted
        ]
        await call.session.execute(insert(MetaAppNumber), rows)


async def app_of(session: AsyncSession, connection_id: UUID) -> MetaApp | None:
    """The app that a connection's number is under."""
    under = select(MetaAppNumber.app_id).where(MetaAppNumber.connection_id == connection_id)
    return (await session.scalars(select(MetaApp).where(MetaApp.id.in_(under)))).one_or_none()


def callback_url(settings: Settings, app: MetaApp) -> str:
    return f"{settings.base_url}/api/v1/hooks/whatsapp/app/{app.token}"


async def numbers_under(session: AsyncSession, app_id: UUID) -> list[UUID]:
    query = select(MetaAppNumber.connection_id).where(MetaAppNumber.app_id == app_id)
    return list(await session.scalars(query.order_by(MetaAppNumber.connection_id)))


async def unknown_numbers(session: AsyncSession, app_id: UUID) -> list[Unknown]:
    """What came in for numbers that nobody registered, in the days for which it is kept; the newest first."""
    rows = await session.execute(_UNKNOWN, {"app": app_id, "most": UNKNOWN_SHOWN})
    return [Unknown(*row) for row in rows]


# What is kept for an app itself stands under its id in place of a connection's.
_UNKNOWN = text("""
SELECT r.payload ->> 'numberId', count(*), max(r.received_at) FROM tocsin.inbound_raw r
WHERE r.connection_id = :app AND r.payload ->> 'numberId' IS NOT NULL
GROUP BY 1 ORDER BY 3 DESC LIMIT :most
""")
