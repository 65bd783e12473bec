"""Acknowledgement: the first one, from anywhere, counts for everybody; it is kept with who and how (R3)."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.call import Call
from tocsin.channels.registry import changeable
from tocsin.kit.broker import Broker
from tocsin.kit.db import Env
from tocsin.kit.errors import FieldError, Invalid, NotFound
from tocsin.realtime.signal import channel_of, signals

MOST_AMENDED = 100
"""Messages of one notification that are changed when somebody acknowledges, the newest."""

_RECIPIENT = text("""
UPDATE tocsin.notification_recipients SET acked_at = now(), acked_via = :via,
    seen_at = coalesce(seen_at, now()), read_at = coalesce(read_at, now())
WHERE notification_id = :id AND user_id = :user AND acked_at IS NULL RETURNING user_id
""")
# Webhook endpoints that listen are told by the statement that finds it to be the first one (H1).
_FIRST = text("""
UPDATE tocsin.notifications n
SET acked_at = now(), acked_by = :user, acked_by_key = :key, acked_via = :via, acked_as = :name
WHERE n.id = :id AND n.acked_at IS NULL
RETURNING n.id, tocsin.tell_webhooks(n.project_id, n.env, 'notification.acknowledged', json_build_object(
    'notificationId', n.id, 'deliveryId', NULL, 'channel', NULL, 'status', 'acknowledged', 'userId', n.acked_by,
    'externalUserId', (SELECT u.external_user_id FROM tocsin.users u
        WHERE u.project_id = n.project_id AND u.id = n.acked_by),
    'eventId', n.event_id, 'clientEventId', n.client_event_id,
    'acknowledgedAt', tocsin.as_told(n.acked_at), 'via', n.acked_via))
""")
# In this order: what insisted at this moment is seen by the second statement, once the first one has waited for it.
_INSIST_NO_MORE = text("DELETE FROM tocsin.insistences WHERE notification_id = :id")
_CANCEL = text("""
UPDATE tocsin.deliveries SET state = 'cancelled', finished_at = now(), last_error = 'acknowledged'
WHERE notification_id = :id
    AND (round > 0 AND state IN ('queued', 'held') OR state = 'gathered' AND finished_at IS NULL)
""")
# Those on their way as well: what is sent first is sent whoever has acknowledged meanwhile, with its button.
_AMEND = text("""
INSERT INTO tocsin.amendments (project_id, delivery_id, env)
SELECT d.project_id, d.id, d.env FROM tocsin.deliveries d
WHERE d.notification_id = :id AND d.env = 'live' AND d.channel = ANY (:channels)
    AND d.state IN ('queued', 'leased', 'sent', 'delivered', 'read')
    AND EXISTS (SELECT FROM tocsin.notifications n WHERE n.id = :id AND n.require_ack)
ORDER BY d.id DESC LIMIT :most
ON CONFLICT DO NOTHING
""")
_IS_RECIPIENT = text("SELECT 1 FROM tocsin.notification_recipients WHERE notification_id = :id AND user_id = :user")


async def acknowledge(call: Call, broker: Broker, notification_id: UUID, for_user: UUID | None) -> None:
    """Acknowledge for the caller, or for a person whom a backend names. Again changes nothing."""
    via = "api" if call.principal.kind == "key" else "panel"
    user_id = call.principal.user_id or for_user
    if call.principal.user_id is not None and for_user not in (None, call.principal.user_id):
        raise Invalid([FieldError("/userId", "not_yourself", "A person acknowledges only for themselves.")])
    mine = user_id is not None and await is_recipient(call.session, notification_id, user_id)
    if not mine and call.own_only:
        raise NotFound()
    if not mine and for_user is not None:
        raise Invalid([FieldError("/userId", "not_a_recipient", "This person did not receive the notification.")])
    if await set_acknowledged(
        call.session, call.project_id, call.env, call.actor, notification_id, user_id, call.principal.key_id, via
    ):
        call.after_commit.append(lambda: tell(broker, call.project_id, call.env, notification_id))


async def is_recipient(session: AsyncSession, notification_id: UUID, user_id: UUID) -> bool:
    return (await session.execute(_IS_RECIPIENT, {"id": notification_id, "user": user_id})).first() is not None


async def set_acknowledged(
    session: AsyncSession,
    project_id: UUID,
    env: Env,
    actor: Actor,
    notification_id: UUID,
    user_id: UUID | None,
    key_id: UUID | None,
    via: str,
    name: str | None = None,
) -> bool:
    """Write it down, and who did it into the audit log; whether that is new. ``tell`` the others after the commit.

    ``name`` is what somebody is called elsewhere who is nobody of the project.
    """
    where = {"id": notification_id, "user": user_id, "via": via}
    changed = user_id is not None and (await session.execute(_RECIPIENT, where)).first() is not None
    first = (await session.execute(_FIRST, {**where, "key": key_id, "name": name})).first() is not None
    if not (changed or first):
        return False
    if first:
        await session.execute(_INSIST_NO_MORE, {"id": notification_id})
        await session.execute(_CANCEL, {"id": notification_id})
        await session.execute(_AMEND, {"id": notification_id, "channels": changeable(), "most": MOST_AMENDED})
    details = {"via": via, "userId": str(user_id)} | ({"name": name} if name else {})
    await record(session, project_id, env, actor, "notification.acknowledged", "notification", notification_id, details)
    return True


def tell(broker: Broker, project_id: UUID, env: Env, notification_id: UUID) -> None:
    """Whoever watches the notification hears that it was seen to."""
    for message in signals("acknowledged", [notification_id]):
        broker.publish(channel_of(project_id, env), message)
