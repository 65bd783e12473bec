"""Writing notifications: rows of a whole batch in a handful of statements of one transaction."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg

from tocsin.channels.registry import kinds
from tocsin.deliveries.queue import NewDelivery, enqueue
from tocsin.kit.db import as_json
from tocsin.kit.ids import new_id

ROWS_A_STATEMENT = 1_000
"""Encoding ten thousand at once would keep everybody else in this process waiting."""
OVER_QUOTA = "quota: the notifications of this month that the plan allows are used up"
"""Why a delivery was dropped, as its ``lastError`` says it."""


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
    internal: bool = False
    """Made of one of Tocsin's own occurrences: no quota counts it."""
    over_quota: bool = False
    """Nothing was left of the month's quota: it is kept, and its deliveries are dropped."""
    id: UUID = field(default_factory=new_id)


# Feeds are raised in the order of users everywhere, so that two batches never wait for each other crosswise.
_NOTIFICATIONS = """
WITH made AS (INSERT INTO tocsin.notifications (project_id, env, id, event_id, event_type, client_event_id,
    rule_id, rule_version, title, message, action, sound, priority, require_ack, topic, internal, over_quota)
SELECT $1, $2, n.id, n.event_id, n.event_type, n.client_event_id, n.rule_id, n.rule_version, n.title, n.message,
    n.action::json, n.sound, n.priority, n.require_ack, n.topic, n.internal, n.over_quota
FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::int[], $9::text[], $10::text[],
    $11::text[], $12::text[], $13::text[], $14::bool[], $15::text[], $16::bool[], $17::bool[])
    AS n (id, event_id, event_type, client_event_id, rule_id, rule_version, title, message, action, sound,
        priority, require_ack, topic, internal, over_quota))
INSERT INTO tocsin.feeds (project_id, env, user_id, seq)
SELECT $1, $2, c.user_id, c.n FROM unnest($18::uuid[], $19::bigint[]) AS c (user_id, n) ORDER BY c.user_id
ON CONFLICT (project_id, user_id, env) DO UPDATE SET seq = feeds.seq + excluded.seq
RETURNING user_id, seq
"""
_RECIPIENTS = """
INSERT INTO tocsin.notification_recipients (project_id, env, notification_id, user_id, reason, feed_seq)
SELECT $1, $2, r.* FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::bigint[]) AS r
"""


async def write_notifications(
    connection: asyncpg.Connection, project_id: UUID, env: str, made: Sequence[NewNotification]
) -> bool:
    """Insert notifications with their recipients and deliveries; whether any of those waits to be sent."""
    if not made:
        return False
    counts = Counter(user_id for n in made for user_id in n.recipients)
    raised = await connection.fetch(
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
        [n.internal for n in made],
        [n.over_quota for n in made],
        list(counts),
        list(counts.values()),
    )
    before = {user_id: seq - counts[user_id] for user_id, seq in raised}
    await _write_recipients(connection, project_id, env, made, before)
    to_send = False
    deliveries = (delivery for n in made for delivery in _deliveries(n))
    while some := list(islice(deliveries, ROWS_A_STATEMENT)):
        await enqueue(connection, project_id, env, some)
        to_send = to_send or any(not delivery.instant for delivery in some)
    return to_send


async def _write_recipients(
    connection: asyncpg.Connection, project_id: UUID, env: str, made: Sequence[NewNotification], last: dict[UUID, int]
) -> None:
    """``last`` is how far each person's feed had counted. The numbers are given here and not by a join, for which a
    cached plan took 6 s with thousands of people."""
    rows = []
    for n in made:
        for user_id, reason in n.recipients.items():
            last[user_id] += 1
            rows.append((n.id, user_id, reason, last[user_id]))
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        some = rows[start : start + ROWS_A_STATEMENT]
        await connection.execute(_RECIPIENTS, project_id, env, *map(list, zip(*some, strict=True)))


def _deliveries(notification: NewNotification) -> Iterator[NewDelivery]:
    """One delivery per recipient and channel; a channel that reaches the project gets one for all."""
    known = kinds()
    for channel in notification.channels:
        kind = known[channel]
        people: list[UUID | None] = [None] if kind.reaches == "project" else list(notification.recipients)
        for user_id in people:
            yield NewDelivery(
                notification.id,
                user_id,
                channel,
                notification.priority,
                kind.instant,
                dropped=OVER_QUOTA if notification.over_quota else None,
            )
