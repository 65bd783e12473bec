"""What signals are about: notifications and their connected recipients, one row per notification; connections.

Every function works inside the caller's scope, which decides project and environment.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

MOST_LISTED = 200
"""Connected people up to whom the database is told who they are; beyond, the list costs more than it saves."""

MOST_MISSED = 100
"""Notifications one person is sent after a gap; who missed more finds a hole in ``seq`` and asks for the rest."""

MOST_ACKNOWLEDGED = 1_000
"""Acknowledgements that are told of after a gap, the newest."""

_NOTIFICATIONS = """
SELECT n.id, n.rule_id, n.title, n.message, n.sound, n.sound_digest, n.priority, n.action, n.require_ack, n.created_at,
    n.event_id, n.event_type, n.client_event_id, heard.people, heard.seqs, heard.silent,
    CASE WHEN $3 THEN (SELECT count(*) FROM tocsin.notification_recipients c
        WHERE c.project_id = $1 AND c.notification_id = n.id) END AS recipients,
    CASE WHEN n.id = ANY($4) THEN ARRAY(
        SELECT ROW(a.user_id, a.acked_at, a.acked_via, (SELECT u.name FROM tocsin.users u
            WHERE u.project_id = $1 AND u.id = a.user_id)) FROM tocsin.notification_recipients a
        WHERE a.project_id = $1 AND a.notification_id = n.id AND a.acked_at IS NOT NULL
        ORDER BY a.acked_at, a.user_id LIMIT 100) END AS acknowledged,
    n.acked_by, n.acked_at, n.acked_via, n.acked_as,
    CASE WHEN n.id = ANY($4) THEN (SELECT u.name FROM tocsin.users u WHERE u.project_id = $1 AND u.id = n.acked_by)
        END AS acked_by_name, n.translations,
    CASE WHEN n.translations IS NOT NULL THEN (SELECT p.settings->>'language' FROM tocsin.projects p WHERE p.id = $1)
        END AS language,
    CASE WHEN n.translations IS NOT NULL THEN (SELECT json_object_agg(u.id, u.locale) FROM tocsin.users u
        WHERE u.project_id = $1 AND u.id = ANY(heard.people) AND u.locale IS NOT NULL) END AS locales,
    CASE WHEN strpos(n.translations::text, '#') > 0 THEN (
        SELECT json_object_agg(u.id, tocsin.way_of_reading(u.timezone, p.settings->>'timezone', u.preferences))
        FROM tocsin.users u JOIN tocsin.projects p ON p.id = u.project_id
        WHERE u.project_id = $1 AND u.id = ANY(heard.people)) END AS ways
FROM unnest($2::uuid[]) WITH ORDINALITY AS asked (id, position)
JOIN tocsin.notifications n ON n.project_id = $1 AND n.id = asked.id
CROSS JOIN LATERAL (
    SELECT array_agg(r.user_id) AS people, array_agg(r.feed_seq) AS seqs,
        array_agg(n.acked_at IS NOT NULL OR coalesce(r.silent_until > now(), false)) AS silent
    FROM tocsin.notification_recipients r WHERE r.project_id = $1 AND r.notification_id = n.id{listed}) heard
ORDER BY asked.position
"""
_TO_EVERYBODY = _NOTIFICATIONS.format(listed="")
_TO_LISTED = _NOTIFICATIONS.format(listed=" AND r.user_id = ANY($5)")

_NEWER = """
SELECT n.id, n.title, n.message, n.sound, n.sound_digest, n.priority, n.action, n.require_ack, n.created_at,
    n.event_id, n.event_type, n.client_event_id, newer.user_id, newer.feed_seq, n.translations,
    n.acked_at, n.acked_at IS NOT NULL OR coalesce(newer.silent_until > now(), false) AS silent,
    CASE WHEN n.translations IS NOT NULL THEN (SELECT p.settings->>'language' FROM tocsin.projects p WHERE p.id = $1)
        END AS language,
    CASE WHEN n.translations IS NOT NULL THEN (SELECT json_object_agg(u.id, u.locale) FROM tocsin.users u
        WHERE u.project_id = $1 AND u.id = newer.user_id AND u.locale IS NOT NULL) END AS locales,
    CASE WHEN strpos(n.translations::text, '#') > 0 THEN (
        SELECT json_object_agg(u.id, tocsin.way_of_reading(u.timezone, p.settings->>'timezone', u.preferences))
        FROM tocsin.users u JOIN tocsin.projects p ON p.id = u.project_id
        WHERE u.project_id = $1 AND u.id = newer.user_id) END AS ways
FROM unnest($3::uuid[], $4::bigint[]) AS heard (user_id, seq)
CROSS JOIN LATERAL (
    SELECT r.user_id, r.notification_id, r.feed_seq, r.silent_until FROM tocsin.notification_recipients r
    WHERE r.project_id = $1 AND r.env = $2 AND r.user_id = heard.user_id AND r.feed_seq > heard.seq
    ORDER BY r.feed_seq LIMIT $5) newer
JOIN tocsin.notifications n ON n.project_id = $1 AND n.id = newer.notification_id
ORDER BY newer.feed_seq
"""

_ENDS = "SELECT user_id, seq FROM tocsin.feeds WHERE project_id = $1 AND env = $2 AND user_id = ANY($3)"

# Nothing else keeps acknowledgements in the order of time.
_ACKNOWLEDGED = """
SELECT DISTINCT recent.id FROM (
    SELECT a.resource_id::uuid AS id FROM tocsin.audit_log a
    WHERE a.project_id = $1 AND a.env = $2 AND a.action = 'notification.acknowledged'
        AND a.id >= tocsin.first_id_at(now() - make_interval(secs => $3))
    ORDER BY a.id DESC LIMIT $4) recent
"""

_CONNECTIONS = """
SELECT c.id, c.name, c.channel, c.provider, c.user_id, c.status, c.status_reason FROM tocsin.connections c
WHERE c.project_id = $1 AND c.id = ANY($2)
"""


async def connections(connection: asyncpg.Connection, project_id: UUID, ids: Sequence[UUID]) -> list[Any]:
    """Those that are still there, as they stand."""
    return list(await connection.fetch(_CONNECTIONS, project_id, ids))


async def notifications(
    connection: asyncpg.Connection,
    project_id: UUID,
    ids: Sequence[UUID],
    *,
    people: Sequence[UUID],
    counted: bool,
    acknowledged: Sequence[UUID],
) -> list[Any]:
    """In the order asked for, with ``people``, ``seqs`` and ``silent`` side by side: the recipients among these
    people, and who is to be told without a sound now: whoever wants none, and everybody of what is acknowledged.

    ``counted`` asks for the number of all recipients, ``acknowledged`` for who acknowledged those.
    """
    if len(people) > MOST_LISTED:
        return list(await connection.fetch(_TO_EVERYBODY, project_id, ids, counted, acknowledged))
    return list(await connection.fetch(_TO_LISTED, project_id, ids, counted, acknowledged, people))


async def newer(
    connection: asyncpg.Connection, project_id: UUID, env: str, heard: Sequence[tuple[UUID, int]]
) -> list[Any]:
    """What came into these feeds after those sequence numbers, one row per person and notification, in order."""
    people, seqs = [person for person, _ in heard], [seq for _, seq in heard]
    return list(await connection.fetch(_NEWER, project_id, env, people, seqs, MOST_MISSED))


async def acknowledged_within(connection: asyncpg.Connection, project_id: UUID, env: str, seconds: float) -> list[UUID]:
    """The notifications of the project that somebody has acknowledged in the last so many seconds, in no order."""
    rows = await connection.fetch(_ACKNOWLEDGED, project_id, env, seconds, MOST_ACKNOWLEDGED)
    return [row["id"] for row in rows]


async def feed_ends(
    connection: asyncpg.Connection, project_id: UUID, env: str, people: Sequence[UUID]
) -> dict[UUID, int]:
    """How far these feeds have counted; a feed without an entry is absent."""
    return {row["user_id"]: row["seq"] for row in await connection.fetch(_ENDS, project_id, env, people)}
