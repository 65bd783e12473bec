"""Stored events in portions, each with what a rule did with it when it was processed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tocsin.kit.db import Env
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
    """A processed event as it was sent, and what the rule did with it; None where it did not look."""

    id: UUID
    type: str
    source: str
    payload: bytes
    moment: datetime
    received_at: datetime
    processed_at: datetime
    told: Told | None


class Heard(NamedTuple):
    """A notification as it was made, in the words that nobody in particular reads; ``people`` are the first of its
    recipients, without those of an escalation."""

    title: str
    message: str
    action: dict[str, Any] | None
    translations: dict[str, Any]
    people: frozenset[UUID]
    total: int


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
        )
        for row in rows
    ]


_PAST = """
SELECT id, type, source, payload::text AS payload, coalesce(client_timestamp, received_at) AS moment, received_at,
    processed_at,
    (SELECT t::text FROM pg_catalog.json_array_elements(trace) AS t WHERE t->>'ruleId' = $3 LIMIT 1) AS told
FROM tocsin.events WHERE project_id = $1 AND id = ANY($2) AND state = 'processed' ORDER BY id
"""


async def read_heard(
    connection: asyncpg.Connection, project_id: UUID, notifications: Sequence[UUID]
) -> dict[UUID, Heard]:
    """The notifications of these that are still kept."""
    if not notifications:
        return {}
    rows = await connection.fetch(_HEARD, project_id, list(notifications), MOST_COMPARED)
    return {
        row["id"]: Heard(
            row["title"],
            row["message"],
            msgspec.json.decode(row["action"]) if row["action"] else None,
            by_language(msgspec.json.decode(row["translations"])) if row["translations"] else {},
            frozenset(row["people"]),
            row["total"],
        )
        for row in rows
    }


_HEARD = """
SELECT n.id, n.title, n.message, n.action::text AS action, n.translations::text AS translations,
    ARRAY(SELECT r.user_id FROM tocsin.notification_recipients r
        WHERE r.project_id = $1 AND r.notification_id = n.id AND r.reason NOT LIKE 'escalation%' LIMIT $3) AS people,
    (SELECT count(*) FROM tocsin.notification_recipients r
        WHERE r.project_id = $1 AND r.notification_id = n.id AND r.reason NOT LIKE 'escalation%') AS total
FROM tocsin.notifications n WHERE n.project_id = $1 AND n.id = ANY($2)
"""
