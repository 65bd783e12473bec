"""A button in a channel that many read: whoever presses it acknowledges (R3).

They do so as the person of the project for whom that address is proven, and else by the name that the provider has for
them: as with a link that went there, whoever reads along may. What people enter for themselves is no proof, or a press
could be put on somebody else.
"""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor
from tocsin.inbound.context import Context
from tocsin.notifications.acknowledge import set_acknowledged, tell

LONGEST_NAME = 100
GONE = "This notification is not there any more."
BY_NOBODY = "Acknowledged already."


class Presser(NamedTuple):
    """Somebody at a provider: by the id that an address of theirs has, and by name."""

    id: str
    name: str


class Note(NamedTuple):
    """What everybody who reads along is to know, and of when it is."""

    words: str
    at: datetime | None


async def acknowledged(context: Context, notification_id: UUID, by: Presser) -> Note:
    """Acknowledge, once for everybody; who did."""
    async with context.scope() as session:
        found = await _found(session, notification_id)
        if found is None:
            return Note(GONE, None)
        new = await _written(context, session, found, by)
        found = await _found(session, notification_id)
    if new:
        tell(context.broker, context.project_id, context.env, notification_id)
    return Note(f"Acknowledged by {found.name}." if found.name else BY_NOBODY, found.acked_at)


async def _found(session: AsyncSession, notification_id: UUID) -> Any:
    return (await session.execute(_FIND, {"id": notification_id})).one_or_none()


async def _written(context: Context, session: AsyncSession, found: Any, by: Presser) -> bool:
    via = context.hook.channel.channel
    user_id = await _person(session, via, by.id)
    if user_id is None and found.acked_at is not None:
        return False
    name = None if user_id else " ".join(by.name.split())[:LONGEST_NAME] or by.id
    actor = Actor("user", str(user_id) if user_id else None)
    return await set_acknowledged(session, context.project_id, context.env, actor, found.id, user_id, None, via, name)


async def _person(session: AsyncSession, channel: str, address: str) -> UUID | None:
    """Whose address it is proven to be, if it is one person's."""
    people = (await session.scalars(_PEOPLE, {"channel": channel, "address": address})).all()
    return people[0] if len(people) == 1 else None


_FIND = text("""
SELECT n.id, n.acked_at, coalesce((SELECT u.name FROM tocsin.users u WHERE u.id = n.acked_by), n.acked_as) AS name
FROM tocsin.notifications n WHERE n.id = :id AND n.require_ack
""")
_PEOPLE = text("""
SELECT DISTINCT a.user_id FROM tocsin.addresses a
JOIN tocsin.users u ON u.project_id = a.project_id AND u.id = a.user_id AND u.status = 'active'
WHERE a.channel = :channel AND a.value = :address AND a.verified_at IS NOT NULL LIMIT 2
""")
