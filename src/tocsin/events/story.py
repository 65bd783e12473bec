"""The story of an event: each rule considered, whom it told and why, every delivery and attempt (D6).

Four queries, whatever the event set off: the event, recipients, deliveries, attempts.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.events.models import Event
from tocsin.events.schemas import (
    AttemptOfEventAnswer,
    DeliveryStory,
    DestinationStory,
    EventStory,
    EventSummary,
    RecipientStory,
    RuleStory,
    TurnStory,
)
from tocsin.kit.errors import NotFound

MOST_RECIPIENTS = 200
MOST_DELIVERIES = 1_000


async def read_story(session: AsyncSession, project_id: UUID, event_id: UUID) -> EventStory:
    """Raises NotFound."""
    event = (await session.scalars(select(Event).where(Event.id == event_id))).one_or_none()
    if event is None:
        raise NotFound()
    told: list[dict[str, Any]] = event.trace or []
    notifications = [UUID(each["notificationId"]) for each in told if "notificationId" in each]
    recipients = await _recipients(session, project_id, notifications)
    deliveries = await _deliveries(session, project_id, notifications, recipients)
    attempts = await attempts_of(session, project_id, [row.id for rows in deliveries.values() for row in rows])
    return EventStory(
        **EventSummary.model_validate(event).model_dump(),
        faults=event.faults or [],
        notifications=notifications,
        trace=[_rule(each, recipients, deliveries, attempts) for each in told],
    )


Rows = dict[UUID, list[Row[Any]]]

_RECIPIENTS = text("""
SELECT ranked.*, t.personal->t.turn->>'channel' AS channel, t.personal->(t.turn + 1)->>'channel' AS next_channel,
    t.due_at
FROM (
    SELECT r.*, count(*) OVER (PARTITION BY r.notification_id) AS total,
        row_number() OVER (PARTITION BY r.notification_id ORDER BY r.user_id) AS nth
    FROM tocsin.notification_recipients r
    WHERE r.project_id = :project AND r.notification_id = ANY(:notifications)
) ranked
LEFT JOIN tocsin.channel_turns t ON t.project_id = ranked.project_id AND t.notification_id = ranked.notification_id
    AND t.user_id = ranked.user_id
WHERE nth <= :most ORDER BY ranked.notification_id, nth
""")


async def _recipients(session: AsyncSession, project_id: UUID, notifications: Sequence[UUID]) -> Rows:
    found = await session.execute(
        _RECIPIENTS, {"project": project_id, "notifications": list(notifications), "most": MOST_RECIPIENTS}
    )
    return grouped(found.all(), "notification_id")


_DELIVERIES = text("""
SELECT * FROM (
    SELECT d.notification_id, d.id, d.channel, d.user_id, d.state, d.gathered_into,
        CASE WHEN d.finished_at IS NULL AND d.state IN ('queued', 'held', 'gathered') THEN d.due_at END AS due_at,
        d.last_error, d.connection_id, d.connection_reason, d.total, d.destination_id, t.name AS destination,
        row_number() OVER (PARTITION BY d.notification_id ORDER BY d.id) AS nth
    FROM (
        SELECT *, count(*) OVER (PARTITION BY notification_id) AS total FROM tocsin.deliveries
        WHERE project_id = :project AND notification_id = ANY(:notifications)
    ) d LEFT JOIN tocsin.destinations t ON t.project_id = d.project_id AND t.id = d.destination_id
    WHERE d.user_id IS NULL OR d.user_id = ANY(:users)
) ranked WHERE nth <= :most ORDER BY notification_id, nth
""")


async def _deliveries(session: AsyncSession, project_id: UUID, notifications: Sequence[UUID], recipients: Rows) -> Rows:
    found = await session.execute(
        _DELIVERIES,
        {
            "project": project_id,
            "notifications": list(notifications),
            "users": list({row.user_id for rows in recipients.values() for row in rows}),
            "most": MOST_DELIVERIES,
        },
    )
    return grouped(found.all(), "notification_id")


_ATTEMPTS = text("""
SELECT delivery_id, number, started_at, duration_ms, outcome, status, answer, error, next_due_at
FROM tocsin.attempts WHERE project_id = :project AND delivery_id = ANY(:deliveries)
ORDER BY delivery_id, number
""")


async def attempts_of(session: AsyncSession, project_id: UUID, deliveries: Sequence[UUID]) -> Rows:
    """By delivery."""
    found = await session.execute(_ATTEMPTS, {"project": project_id, "deliveries": list(deliveries)})
    return grouped(found.all(), "delivery_id")


def grouped(rows: Sequence[Row[Any]], by: str) -> Rows:
    groups: Rows = defaultdict(list)
    for row in rows:
        groups[getattr(row, by)].append(row)
    return groups


def _rule(told: dict[str, Any], recipients: Rows, deliveries: Rows, attempts: Rows) -> RuleStory:
    notification = UUID(told["notificationId"]) if "notificationId" in told else None
    people = recipients.get(notification, []) if notification else []
    sent = deliveries.get(notification, []) if notification else []
    return RuleStory(
        rule_id=told["ruleId"],
        rule_name=told["ruleName"],
        rule_version=told["ruleVersion"],
        matched=told["matched"],
        reason=told["reason"],
        error=told.get("error"),
        notification_id=notification,
        recipients=[_recipient(row) for row in people],
        recipients_total=people[0].total if people else 0,
        deliveries=[_delivery(row, attempts.get(row.id, [])) for row in sent],
        deliveries_total=sent[0].total if sent else 0,
    )


def _recipient(row: Row[Any]) -> RecipientStory:
    """A turn that is left to somebody who has seen it stands until the clock looks at it, and is not taken."""
    seen = "acknowledged" if row.acked_at else "seen" if row.seen_at or row.read_at else None
    waits = row.next_channel is not None and seen is None
    return RecipientStory(
        user_id=row.user_id,
        reason=row.reason,
        turn=TurnStory(channel=row.channel, next_channel=row.next_channel, due_at=row.due_at) if waits else None,
        turns_ended=row.turns_ended or (seen if row.next_channel else None),
    )


def _delivery(row: Row[Any], attempts: Sequence[Row[Any]]) -> DeliveryStory:
    return DeliveryStory(
        id=row.id,
        channel=row.channel,
        user_id=row.user_id,
        destination=DestinationStory(id=row.destination_id, name=row.destination) if row.destination else None,
        state=row.state,
        gathered_into=row.gathered_into,
        due_at=row.due_at,
        last_error=row.last_error,
        connection_id=row.connection_id,
        connection_reason=row.connection_reason,
        attempts=[AttemptOfEventAnswer.model_validate(attempt) for attempt in attempts],
    )
