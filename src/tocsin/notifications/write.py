"""Writing notifications: rows of a whole batch in a handful of statements of one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from tocsin.channels.registry import kinds
from tocsin.deliveries.queue import NewDelivery, enqueue
from tocsin.kit.db import as_json
from tocsin.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class NewNotification:
    """What a matched rule decided, before it is a row."""

    event_id: UUID
    event_type: str
    client_event_id: str | None
    rule_id: UUID
    rule_version: int
    title: str
    message: str
    action: dict[str, Any] | None
    sound: str | None
    priority: str
    require_ack: bool
    topic: str | None
    channels: Sequence[str]
    recipients: dict[UUID, str]
    id: UUID = field(default_factory=new_id)


_NOTIFICATIONS = """
INSERT INTO tocsin.notifications (project_id, env, id, event_id, event_type, client_event_id, rule_id, rule_version,
    title, message, action, sound, priority, require_ack, topic)
SELECT $1, $2, n.id, n.event_id, n.event_type, n.client_event_id, n.rule_id, n.rule_version, n.title, n.message,
    n.action::json, n.sound, n.priority, n.require_ack, n.topic
FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::int[], $9::text[], $10::text[],
    $11::text[], $12::text[], $13::text[], $14::bool[], $15::text[])
    AS n (id, event_id, event_type, client_event_id, rule_id, rule_version, title, message, action, sound,
        priority, require_ack, topic)
"""

# Feeds are raised in the order of users everywhere, so that two batches never wait for each other crosswise.
_RECIPIENTS = """
WITH sent AS (
    SELECT r.notification_id, r.user_id, r.reason,
        row_number() OVER (PARTITION BY r.user_id ORDER BY r.ord) AS nth
    FROM unnest($3::uuid[], $4::uuid[], $5::text[]) WITH ORDINALITY AS r (notification_id, user_id, reason, ord)
), counted AS (
    SELECT user_id, count(*) AS n FROM sent GROUP BY user_id ORDER BY user_id
), raised AS (
    INSERT INTO tocsin.feeds (project_id, env, user_id, seq)
    SELECT $1, $2, c.user_id, c.n FROM counted c
    ON CONFLICT (project_id, user_id, env) DO UPDATE SET seq = feeds.seq + excluded.seq
    RETURNING user_id, seq
)
INSERT INTO tocsin.notification_recipients (project_id, env, notification_id, user_id, feed_seq, reason)
SELECT $1, $2, s.notification_id, s.user_id, f.seq - c.n + s.nth, s.reason
FROM sent s JOIN counted c USING (user_id) JOIN raised f USING (user_id)
"""


async def write_notifications(
    connection: asyncpg.Connection, project_id: UUID, env: str, made: Sequence[NewNotification]
) -> list[NewDelivery]:
    """Insert notifications with their recipients and deliveries; the deliveries that were queued or recorded."""
    if not made:
        return []
    await connection.execute(
        _NOTIFICATIONS,
        project_id,
        env,
        [n.id for n in made],
        [n.event_id for n in made],
        [n.event_type for n in made],
        [n.client_event_id for n in made],
        [n.rule_id for n in made],
        [n.rule_version for n in made],
        [n.title for n in made],
        [n.message for n in made],
        [as_json(n.action) for n in made],
        [n.sound for n in made],
        [n.priority for n in made],
        [n.require_ack for n in made],
        [n.topic for n in made],
    )
    rows = [(n.id, user_id, reason) for n in made for user_id, reason in n.recipients.items()]
    if rows:
        await connection.execute(
            _RECIPIENTS, project_id, env, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]
        )
    deliveries = [delivery for n in made for delivery in _deliveries(n)]
    await enqueue(connection, project_id, env, deliveries)
    return deliveries


def _deliveries(notification: NewNotification) -> list[NewDelivery]:
    """One delivery per recipient and channel; a channel that reaches the project gets one for all."""
    known = kinds()
    deliveries = []
    for channel in notification.channels:
        kind = known[channel]
        people: list[UUID | None] = [None] if kind.reaches == "project" else list(notification.recipients)
        deliveries += [
            NewDelivery(notification.id, user_id, channel, notification.priority, kind.instant) for user_id in people
        ]
    return deliveries
