"""Devices: addresses of which a person has several, each registered by the app or browser that holds its token.

A token belongs to one person of a project at a time: registered for another, it moves there. Answers and logs show
only its end. What the provider calls unregistered is removed.
"""

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.channels.contract import Device
from tocsin.channels.registry import device_kinds
from tocsin.kit.db import as_json
from tocsin.kit.errors import Conflict, FieldError, Invalid
from tocsin.kit.ids import new_id
from tocsin.users.models import Address, User

MOST_DEVICES = 20
"""Of one person and kind."""


def read_device(kind: str, address: str) -> Device:
    """The device that an address of such a kind is. Raises Invalid."""
    sender = device_kinds()[kind]
    if problem := sender.address_problem(address):
        raise Invalid([FieldError("/value", "invalid_address", problem)])
    return sender.device(address)


class Registered(NamedTuple):
    """``before`` is whose it was: another person, the same, or None for a device nobody knew."""

    row: Address
    before: UUID | None


async def register_device(
    session: AsyncSession, user: User, kind: str, device: Device, label: str | None
) -> Registered:
    """Store a device, or say once more that it is this person's. Raises Conflict where there are too many."""
    identity = sha256(device.identity.encode()).hexdigest()
    await session.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))
    known = (Address.env == user.env, Address.channel == kind, Address.identity == identity)
    before = await session.scalar(select(Address.user_id).where(*known))
    if before != user.id:
        await _refuse_too_many(session, user, kind)
    given = {"user_id": user.id, "value": device.value, "label": label}
    fixed = {"project_id": user.project_id, "id": new_id(), "env": user.env, "channel": kind, "identity": identity}
    upsert = (
        insert(Address)
        .values({**fixed, **given})
        .on_conflict_do_update(
            index_elements=["project_id", "env", "channel", "identity"],
            index_where=Address.identity.is_not(None),
            set_={**given, "opted_out_at": None, "updated_at": func.now()},
        )
        .returning(Address)
    )
    return Registered((await session.scalars(upsert)).one(), before)


async def _refuse_too_many(session: AsyncSession, user: User, kind: str) -> None:
    held = select(func.count()).where(Address.user_id == user.id, Address.channel == kind)
    if (await session.scalar(held) or 0) >= MOST_DEVICES:
        detail = f"A person has at most {MOST_DEVICES} devices of a kind; remove one first."
        raise Conflict("too_many_devices", detail)


def shown_value(address: Address) -> str:
    """As much of an address as answers and logs repeat."""
    sender = device_kinds().get(address.channel)
    return sender.device(address.value).shown if sender else address.value


async def forget_device(
    connection: asyncpg.Connection, project_id: UUID, env: str, address_id: UUID, since: datetime, why: str
) -> None:
    """Remove a device that its provider does not know any more, unless it was registered again after that moment."""
    row = await connection.fetchrow(_FORGET, project_id, address_id, since)
    if row is not None:
        metadata = {"before": {"channel": row["channel"], "label": row["label"]}, "reason": why}
        await connection.execute(_AUDIT, project_id, new_id(), env, str(row["user_id"]), as_json(metadata))


_FORGET = """
DELETE FROM tocsin.addresses WHERE project_id = $1 AND id = $2 AND updated_at <= $3 RETURNING user_id, channel, label
"""
_AUDIT = """
INSERT INTO tocsin.audit_log (project_id, id, env, action, actor_type, resource_type, resource_id, metadata)
VALUES ($1, $2, $3, 'address.expired', 'system', 'user', $4, $5)
"""
