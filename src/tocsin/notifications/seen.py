"""A person has seen a notification, or read it: told once, it moves forward only and ends nothing for others (R2)."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.call import Call
from tocsin.kit.errors import FieldError, Invalid, NotFound
from tocsin.notifications.schemas import Seen

_SEEN = text("""
UPDATE tocsin.notification_recipients SET seen_at = coalesce(seen_at, now()),
    read_at = CASE WHEN :read THEN coalesce(read_at, now()) ELSE read_at END
WHERE notification_id = :id AND user_id = :user RETURNING user_id
""")


async def mark_seen(call: Call, notification_id: UUID, seen: Seen) -> None:
    """For the caller, or for a person whom a backend names. Raises NotFound, Invalid."""
    mine = call.principal.user_id
    if mine is not None and seen.user_id not in (None, mine):
        raise Invalid([FieldError("/userId", "not_yourself", "A person speaks only for themselves.")])
    user_id = mine or seen.user_id
    if user_id is None:
        raise Invalid([FieldError("/userId", "required", "Say who has seen it: a key is nobody.")])
    if await note_seen(call.session, notification_id, user_id, seen.read):
        return
    if call.own_only:
        raise NotFound()
    raise Invalid([FieldError("/userId", "not_a_recipient", "This person did not receive the notification.")])


async def note_seen(session: AsyncSession, notification_id: UUID, user_id: UUID, read: bool) -> bool:
    """Write it down; whether the person is one of those it was for."""
    return (await session.execute(_SEEN, {"id": notification_id, "user": user_id, "read": read})).first() is not None
