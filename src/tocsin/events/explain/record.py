"""What is on record about one event and one person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.events.models import Event
from tocsin.events.story import Rows, attempts_of, grouped
from tocsin.users.models import User

MOST_DELIVERIES = 200
"""Of one notification."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is on record about the person: by notification, by delivery, by rule and version."""

    event: Event
    person: User
    roles_now: Sequence[str]
    roles_then: Sequence[str] | None
    heard: Mapping[UUID, Any]
    deliveries: Rows
    attempts: Rows
    blocked: Mapping[str, datetime]
    versions: Mapping[tuple[UUID, int], dict[str, Any]]

    @property
    def roles_known(self) -> Sequence[str]:
        return self.roles_now if self.roles_then is None else self.roles_then


async def read_record(session: AsyncSession, event: Event, person: User, roles_now: Sequence[str]) -> Record:
    told: list[dict[str, Any]] = event.trace or []
    notifications = [UUID(each["notificationId"]) for each in told if "notificationId" in each]
    about = {"project": event.project_id, "user": person.id, "notifications": notifications}
    heard = (await session.execute(_HEARD, about)).all()
    rows = (await session.execute(_DELIVERIES, {**about, "most": MOST_DELIVERIES})).all()
    blocked = (await session.execute(_SHUT_OUT, about)).all() if any(row.state == "suppressed" for row in rows) else []
    looked = {"rules": [each["ruleId"] for each in told], "versions": [each["ruleVersion"] for each in told]}
    versions = await session.execute(_VERSIONS, {"project": event.project_id, **looked})
    return Record(
        event,
        person,
        roles_now,
        await _roles_then(session, event, person),
        {row.notification_id: row for row in heard},
        grouped(rows, "notification_id"),
        await attempts_of(session, event.project_id, [row.id for row in rows]),
        {row.channel: row.since for row in blocked},
        {(row.rule_id, row.version): row.rule for row in versions},
    )


_HEARD = text("""
SELECT r.notification_id, r.reason, r.seen_at, r.read_at, n.acked_at, n.acked_by
FROM tocsin.notification_recipients r
JOIN tocsin.notifications n ON n.project_id = r.project_id AND n.id = r.notification_id
WHERE r.project_id = :project AND r.notification_id = ANY(:notifications) AND r.user_id = :user
""")
_DELIVERIES = text("""
SELECT * FROM (
    SELECT d.*, row_number() OVER (PARTITION BY d.notification_id ORDER BY d.id) AS nth
    FROM tocsin.deliveries d
    WHERE d.project_id = :project AND d.notification_id = ANY(:notifications) AND d.user_id = :user
) ranked WHERE nth <= :most ORDER BY notification_id, nth
""")
# Of the connections that this project sees; what is known at the platform's belongs to no channel here.
_SHUT_OUT = text("""
SELECT c.channel, min(r.since) AS since
FROM tocsin.connections c CROSS JOIN (
    SELECT a.value FROM tocsin.addresses a WHERE a.project_id = :project AND a.user_id = :user
    UNION SELECT unnest(ARRAY[u.email, u.phone]) FROM tocsin.users u WHERE u.project_id = :project AND u.id = :user
) a JOIN tocsin.reachability r ON r.project_id = c.project_id AND r.connection_id = c.id
    AND r.address_hash = sha256(convert_to(a.value, 'UTF8'))
WHERE c.project_id = :project AND r.state <> 'reachable' GROUP BY c.channel
""")
_VERSIONS = text("""
SELECT v.rule_id, v.version, v.rule FROM tocsin.rule_versions v
JOIN unnest(CAST(:rules AS uuid[]), CAST(:versions AS integer[])) AS w (rule_id, version)
    ON w.rule_id = v.rule_id AND w.version = v.version
WHERE v.project_id = :project
""")


async def _roles_then(session: AsyncSession, event: Event, person: User) -> list[str] | None:
    """What the first change of the person after the event says they had before it; None where there was none."""
    found = await session.scalar(
        _CHANGED, {"project": event.project_id, "user": str(person.id), "at": event.processed_at}
    )
    return list(found) if isinstance(found, list) else None


_CHANGED = text("""
SELECT metadata->'before'->'roles' FROM tocsin.audit_log
WHERE project_id = :project AND resource_id = :user AND at > :at
    AND pg_catalog.json_typeof(metadata->'before'->'roles') = 'array'
ORDER BY id LIMIT 1
""")
