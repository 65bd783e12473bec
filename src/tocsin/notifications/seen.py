"""A person has seen a notification, or read it: told once, it moves forward only and ends nothing for others (R2)."""

from uuid import UUID

from sqlalchemy import text

from tocsin.auth.guard import Call
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
    where = {"id": notification_id, "user": user_id, "read": seen.read}
    if (await call.session.execute(_SEEN, where)).first() is not None:
        return
    if call.own_only:
        raise NotFound()
    raise Invalid([FieldError("/userId", "not_a_recipient", "This person did not receive the notification.")])
