"""Notifications as an answer: recipients, acknowledgements, and what their deliveries add up to."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import Env
from tocsin.notifications.models import Notification
from tocsin.notifications.schemas import AcknowledgedBy, Insistence, NotificationAnswer, RecipientAnswer
from tocsin.sounds.links import SoundLinks
from tocsin.users.language import Words, by_language, words_in

MOST_RECIPIENTS_SHOWN = 200

Names = Mapping[UUID | None, str | None]
"""By person; none for a key, which is nobody."""

_RECIPIENTS = text("""
SELECT * FROM (
    SELECT r.*, count(*) FILTER (WHERE r.mine) OVER (PARTITION BY r.notification_id) AS total,
        row_number() OVER (PARTITION BY r.notification_id
            ORDER BY r.user_id = CAST(:only AS uuid) DESC, r.acked_at NULLS LAST, r.user_id) AS nth
    FROM (
        SELECT *, CAST(:only AS uuid) IS NULL OR user_id = :only AS mine,
            coalesce(silent_until > now(), false) AS silent FROM tocsin.notification_recipients
        WHERE notification_id = ANY(:ids)
    ) r WHERE r.mine OR r.acked_at IS NOT NULL
) AS ranked WHERE nth <= :most ORDER BY notification_id, nth
""")
_SUMS = text("""
SELECT notification_id,
    count(*) FILTER (WHERE state IN ('sent', 'delivered', 'read')) AS delivered,
    coalesce(sum(attempts), 0) AS attempts,
    max(coalesce(sent_at, finished_at)) FILTER (WHERE attempts > 0 OR sent_at IS NOT NULL) AS last_attempt,
    max(last_error) FILTER (WHERE state IN ('failed', 'queued', 'suppressed')) AS error,
    min(coalesce(delivered_at, sent_at)) AS delivered_at,
    bool_or(channel = 'realtime' AND state = 'sent') AS pushed
FROM tocsin.deliveries WHERE notification_id = ANY(:ids) AND (CAST(:only AS uuid) IS NULL OR user_id = :only)
GROUP BY notification_id
""")

_INSISTENCES = text("""
SELECT notification_id, times, repeats_at, taken, escalates_at FROM tocsin.insistences WHERE notification_id = ANY(:ids)
""")


async def shown(
    session: AsyncSession, sounds: SoundLinks, notifications: Sequence[Notification], only: UUID | None = None
) -> list[NotificationAnswer]:
    """Answers in two queries for any number of notifications, and one more each where some wait for an
    acknowledgement and where some have one.

    ``only`` confines them to one person's part; who acknowledged is told to everybody.
    """
    ids = [notification.id for notification in notifications]
    if not ids:
        return []
    people: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in await session.execute(_RECIPIENTS, {"ids": ids, "only": only, "most": MOST_RECIPIENTS_SHOWN}):
        people[row.notification_id].append(row)
    sums = {row.notification_id: row for row in await session.execute(_SUMS, {"ids": ids, "only": only})}
    waiting = [each.id for each in notifications if each.require_ack and each.acked_at is None]
    rows = await session.execute(_INSISTENCES, {"ids": waiting}) if waiting else ()
    insisting = {row.notification_id: row for row in rows}
    said = await _said(session, notifications, only)
    names = await _names(session, [by for n in notifications for by in _acknowledgers(n, people[n.id])])
    return [
        _shown(n, sounds, people[n.id], sums.get(n.id), insisting.get(n.id), only, said, names) for n in notifications
    ]


async def _names(session: AsyncSession, people: Sequence[UUID]) -> Names:
    if not people:
        return {}
    return {row.id: row.name for row in await session.execute(_NAMES, {"people": list(set(people))})}


_NAMES = text("SELECT id, name FROM tocsin.users WHERE id = ANY(:people)")


def _acknowledgers(notification: Notification, people: list[Any]) -> list[UUID]:
    told = [row.user_id for row in people if row.acked_at]
    return [*told, notification.acked_by] if notification.acked_by else told


Said = Callable[[Notification], dict[str, Any]]
"""The words of a notification, and those in further languages where they are shown."""


async def _said(session: AsyncSession, notifications: Sequence[Notification], only: UUID | None) -> Said:
    """Everything that it says, or to one person what it says in their language; one query where it matters."""
    if only is None or not any(each.translations for each in notifications):
        return lambda each: {"translations": (by_language(each.translations) or None) if only is None else None}
    locale, language, way = (await session.execute(_LANGUAGES, {"only": only})).one()

    def to_one(each: Notification) -> dict[str, Any]:
        written = Words(each.title, each.message, each.action)
        words = words_in(written, each.translations, locale, language, channel="realtime", way=way)
        return {**words._asdict(), "translations": None}

    return to_one


_LANGUAGES = text("""
SELECT u.locale, p.settings->>'language', tocsin.way_of_reading(u.timezone, p.settings->>'timezone', u.preferences)
FROM tocsin.projects p LEFT JOIN tocsin.users u ON u.project_id = p.id AND u.id = :only
""")


def _shown(
    notification: Notification,
    sounds: SoundLinks,
    people: list[Any],
    sums: Any,
    insisting: Any,
    only: UUID | None,
    said: Said,
    names: Names,
) -> NotificationAnswer:
    recipients = [row for row in people if row.mine]
    fields = {
        name: getattr(notification, name) for name in NotificationAnswer.model_fields if hasattr(Notification, name)
    }
    return NotificationAnswer(
        **{**fields, **said(notification)},
        sound_url=sounds.make(notification.project_id, cast(Env, notification.env), notification.sound_digest),
        seq=recipients[0].feed_seq if only and recipients else None,
        silent=bool(only and recipients and recipients[0].silent),
        recipients=[
            RecipientAnswer(
                user_id=row.user_id,
                seq=row.feed_seq,
                reason=row.reason,
                seen_at=row.seen_at,
                read_at=row.read_at,
                acknowledged_at=row.acked_at,
            )
            for row in recipients
        ],
        recipients_total=recipients[0].total if recipients else 0,
        acknowledged_by=acknowledged_by(notification, people, names),
        insistence=_insistence(insisting) if insisting else None,
        delivered=sums.delivered if sums else 0,
        delivery_attempts=sums.attempts if sums else 0,
        last_delivery_attempt=sums.last_attempt if sums else None,
        delivery_error=sums.error if sums else None,
        delivered_at=sums.delivered_at if sums else None,
        pusher_event_sent=bool(sums and sums.pushed),
    )


def _insistence(row: Any) -> Insistence:
    return Insistence(
        repeated=row.times, repeats_at=row.repeats_at, steps_taken=row.taken, escalates_at=row.escalates_at
    )


def acknowledged_by(notification: Notification, people: Sequence[Any], names: Names) -> list[AcknowledgedBy]:
    """Everybody who acknowledged, the first one first, recipients or not."""
    said = {row.user_id: (row.acked_at, row.acked_via) for row in people if row.acked_at}
    if notification.acked_at is not None:
        said.setdefault(notification.acked_by, (notification.acked_at, notification.acked_via or "api"))
    found = [
        AcknowledgedBy(user_id=user, name=names.get(user) if user else notification.acked_as, at=at, via=via)
        for user, (at, via) in said.items()
    ]
    return sorted(found, key=lambda one: one.at)
