"""Acknowledgement: the first one, from anywhere, counts for everybody; it is kept with who and how (R3)."""

from uuid import UUID

from sqlalchemy import text

from tocsin.auth.guard import Call
from tocsin.kit.broker import Broker
from tocsin.kit.errors import FieldError, Invalid, NotFound
from tocsin.realtime.signal import channel_of, signals

_RECIPIENT = text("""
UPDATE tocsin.notification_recipients SET acked_at = now(), acked_via = :via,
    seen_at = coalesce(seen_at, now()), read_at = coalesce(read_at, now())
WHERE notification_id = :id AND user_id = :user AND acked_at IS NULL RETURNING user_id
""")
# Webhook endpoints that listen are told by the statement that finds it to be the first one (H1).
_FIRST = text("""
UPDATE tocsin.notifications n SET acked_at = now(), acked_by = :user, acked_by_key = :key, acked_via = :via
WHERE n.id = :id AND n.acked_at IS NULL
RETURNING n.id, tocsin.tell_webhooks(n.project_id, n.env, 'notification.acknowledged', json_build_object(
    'notificationId', n.id, 'deliveryId', NULL, 'channel', NULL, 'status', 'acknowledged', 'userId', n.acked_by,
    'externalUserId', (SELECT u.external_user_id FROM tocsin.users u
        WHERE u.project_id = n.project_id AND u.id = n.acked_by),
    'eventId', n.event_id, 'clientEventId', n.client_event_id,
    'acknowledgedAt', tocsin.as_told(n.acked_at), 'via', n.acked_via))
""")
_IS_RECIPIENT = text("SELECT 1 FROM tocsin.notification_recipients WHERE notification_id = :id AND user_id = :user")


async def acknowledge(call: Call, broker: Broker, notification_id: UUID, for_user: UUID | None) -> None:
    """Acknowledge for the caller, or for a person whom a backend names. Again changes nothing."""
    via = "api" if call.principal.kind == "key" else "panel"
    user_id = call.principal.user_id or for_user
    if call.principal.user_id is not None and for_user not in (None, call.principal.user_id):
        raise Invalid([FieldError("/userId", "not_yourself", "A person acknowledges only for themselves.")])
    where = {"id": notification_id, "user": user_id, "via": via}
    mine = bool(user_id and (await call.session.execute(_IS_RECIPIENT, where)).first())
    if not mine and call.own_only:
        raise NotFound()
    if not mine and for_user is not None:
        raise Invalid([FieldError("/userId", "not_a_recipient", "This person did not receive the notification.")])
    changed = False
    if mine:
        changed = (await call.session.execute(_RECIPIENT, where)).first() is not None
    first = (await call.session.execute(_FIRST, {**where, "key": call.principal.key_id})).first() is not None
    if changed or first:
        await call.audit("notification.acknowledged", "notification", notification_id, via=via, userId=str(user_id))
        channel = channel_of(call.project_id, call.env)
        for message in signals("acknowledged", [notification_id]):
            call.after_commit.append(lambda message=message: broker.publish(channel, message))  # type: ignore[misc]
