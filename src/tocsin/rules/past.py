"""Stored events in portions, each with what a rule did with it when it was processed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tocsin.kit.db import Env
from tocsin.rules.clocked import ClockRun, run_of
from tocsin.rules.going_on import MOST_FOLLOWED, Course, GoingOn, said_by_version
from tocsin.users.language import by_language

SCANNED_AT_ONCE = 2_000
"""Events whose types are read by one statement: what a portion costs does not grow with how rare a type is."""
MOST_COMPARED = 500
"""Recipients of one notification that are compared by name."""


class Glance(NamedTuple):
    id: UUID
    type: str


class Told(msgspec.Struct):
    """What the trace kept of the rule."""

    ruleVersion: int
    matched: bool
    reason: str
    error: str = ""
    notificationId: UUID | None = None

    @property
    def failed(self) -> bool:
        """Where only some ways of reading went wrong, the others were told."""
        return bool(self.error) and self.notificationId is None


class Past(NamedTuple):
    """A processed event as it was sent, and what the rule did with it; None where it did not look. ``run`` is that of
    the clock which made it, ``age`` the seconds since it was processed."""

    id: UUID
    type: str
    source: str
    payload: bytes
    moment: datetime
    received_at: datetime
    processed_at: datetime
    told: Told | None
    run: ClockRun | None = None
    age: float = 0.0


class How(NamedTuple):
    """By which ways something is told, how loudly, and how it goes on; ``after_seconds`` where the channels have
    turns."""

    channels: tuple[str, ...]
    after_seconds: int | None
    destinations: frozenset[str]
    priority: str
    sound: str | None
    going_on: GoingOn = GoingOn()

    @property
    def in_turns(self) -> tuple[Collection[str], int | None]:
        """Channels that are told at once are in no order."""
        return self.channels if self.after_seconds else frozenset(self.channels), self.after_seconds


class Heard(NamedTuple):
    """A notification as it was made, in the words that nobody in particular reads; ``people`` are the first of its
    recipients, without those of an escalation. ``how`` is what the rule said then, with the notification's own sound;
    None where that version is not kept. ``open_for`` has the seconds until somebody acknowledged, or until now;
    ``course`` what became of it, None where too many people were told."""

    title: str
    message: str
    action: dict[str, Any] | None
    translations: dict[str, Any]
    people: frozenset[UUID]
    total: int
    how: How | None = None
    open_for: float = 0.0
    course: Course | None = None


async def scan(connection: asyncpg.Connection, project_id: UUID, env: Env, after: UUID, before: UUID) -> list[Glance]:
    """The next events between two ids, whatever their types."""
    rows = await connection.fetch(scan_statement(env), project_id, after, before, SCANNED_AT_ONCE)
    return [Glance(*row) for row in rows]


def scan_statement(env: Env) -> str:
    """The environment stands in the text, so that the few events of the sandbox are found by the index of their own."""
    return _LIVE if env == "live" else _LIVE.replace("'live'", "'test'")


_LIVE = """
SELECT id, type FROM tocsin.events WHERE project_id = $1 AND env = 'live' AND id > $2 AND id < $3 ORDER BY id LIMIT $4
"""


async def read_past(connection: asyncpg.Connection, project_id: UUID, ids: Sequence[UUID], rule_id: UUID) -> list[Past]:
    """These events in their order, without those that have not been processed."""
    rows = await connection.fetch(_PAST, project_id, list(ids), str(rule_id))
    return [
        Past(
            row["id"],
            row["type"],
            row["source"] or "",
            row["payload"].encode(),
            row["moment"],
            row["received_at"],
            row["processed_at"],
            msgspec.json.decode(row["told"], type=Told) if row["told"] else None,
            run_of(row["type"], row["payload"].encode()) if row["internal"] else None,
            row["age"],
        )
        for row in rows
    ]


_PAST = """
SELECT id, type, source, payload::text AS payload, coalesce(client_timestamp, received_at) AS moment, received_at,
    processed_at, internal, extract(epoch FROM now() - processed_at)::double precision AS age,
    (SELECT t::text FROM pg_catalog.json_array_elements(trace) AS t WHERE t->>'ruleId' = $3 LIMIT 1) AS told
FROM tocsin.events WHERE project_id = $1 AND id = ANY($2) AND state = 'processed' ORDER BY id
"""


async def read_heard(
    connection: asyncpg.Connection, project_id: UUID, notifications: Sequence[UUID]
) -> dict[UUID, Heard]:
    """The notifications of these that are still kept."""
    if not notifications:
        return {}
    rows = await connection.fetch(_HEARD, project_id, list(notifications), MOST_COMPARED, MOST_FOLLOWED)
    return {
        row["id"]: Heard(
            row["title"],
            row["message"],
            msgspec.json.decode(row["action"]) if row["action"] else None,
            by_language(msgspec.json.decode(row["translations"])) if row["translations"] else {},
            frozenset(row["people"]),
            row["total"],
            _how(row),
            row["open_for"],
            Course(row["gathered"], row["throttled"], row["told_again"]) if row["told_again"] is not None else None,
        )
        for row in rows
    }


def _how(row: asyncpg.Record) -> How | None:
    if row["version"] is None:
        return None
    said = _ways.decode(row["version"])
    after_seconds = said.channelOrder["afterSeconds"] if said.channelOrder else None
    going_on = said_by_version(row["version"])
    return How(said.channels, after_seconds, said.targetDestinations, row["priority"], row["sound"], going_on)


class _Ways(msgspec.Struct):
    """As versions of rules have them."""

    channels: tuple[str, ...]
    targetDestinations: frozenset[str] = frozenset()
    channelOrder: dict[str, int] | None = None


_ways = msgspec.json.Decoder(_Ways)

# What became of it is counted by its deliveries, which are not read of many people.
_HEARD = """
SELECT n.id, n.title, n.message, n.action::text AS action, n.translations::text AS translations, n.priority, n.sound,
    extract(epoch FROM coalesce(n.acked_at, now()) - n.created_at)::double precision AS open_for,
    v.rule::text AS version, t.total, d.gathered, d.throttled, d.told_again,
    ARRAY(SELECT r.user_id FROM tocsin.notification_recipients r
        WHERE r.project_id = $1 AND r.notification_id = n.id AND r.reason NOT LIKE 'escalation%' LIMIT $3) AS people
FROM tocsin.notifications n LEFT JOIN tocsin.rule_versions v
    ON v.project_id = n.project_id AND v.rule_id = n.rule_id AND v.version = n.rule_version
CROSS JOIN LATERAL (SELECT count(*) AS total FROM tocsin.notification_recipients r
    WHERE r.project_id = $1 AND r.notification_id = n.id AND r.reason NOT LIKE 'escalation%') t
LEFT JOIN LATERAL (
    SELECT coalesce(max(p.round), 0) AS told_again, count(*) FILTER (WHERE p.gathered) AS gathered,
        count(*) FILTER (WHERE p.throttled AND NOT p.gathered) AS throttled
    FROM (
        SELECT max(d.round) AS round, d.user_id IS NOT NULL AND bool_or(d.state = 'gathered') AS gathered,
            d.user_id IS NOT NULL AND coalesce(bool_or(d.round = 0 AND (
                d.last_error LIKE 'throttle: %' OR d.last_error LIKE 'silently: throttle: %')), false) AS throttled
        FROM tocsin.deliveries d WHERE d.project_id = $1 AND d.notification_id = n.id GROUP BY d.user_id) p
) d ON t.total <= $4
WHERE n.project_id = $1 AND n.id = ANY($2)
"""
