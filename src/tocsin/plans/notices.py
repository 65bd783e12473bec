"""Telling of 80 and 100 percent, once: in the project's audit log, as an event that rules can use, to webhook endpoints
that listen, by mail (Q2, R7, H1).

That a quota got so far is a row, written in the transaction that got it there. Telling takes the row and writes what
is told in one transaction, so no crash can make it twice or never. The mail goes to the project's billing contact;
where none is set, to its owner, else to whoever has been an owner or an admin of it for longest.
"""

from datetime import UTC, datetime, time
from typing import Any

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.occurrence import occur
from tocsin.audit.tell import tell
from tocsin.kit.broker import Broker
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database, as_json, driver
from tocsin.kit.ids import new_id
from tocsin.kit.schema import iso
from tocsin.kit.vault import Vault
from tocsin.mail.post import post
from tocsin.mail.words import Kind
from tocsin.plans.entitlements import entitlements
from tocsin.plans.quotas import resets_at

MOST_AT_ONCE = 100

_TAKE = """
UPDATE tocsin.quota_notices SET told_at = now()
WHERE project_id = $1 AND quota = $2 AND period = $3 AND percent = $4 AND allowed = $5 AND told_at IS NULL
RETURNING true
"""
_AUDIT = """
INSERT INTO tocsin.audit_log (project_id, id, env, action, actor_type, resource_type, resource_id, metadata)
VALUES ($1, $2, 'live', $3, 'system', 'quota', $4, $5)
"""
_CONTACT = text("""
SELECT p.settings->>'billingEmail' AS email, CAST(NULL AS uuid) AS user_id FROM tocsin.projects p
WHERE p.id = :project AND p.settings->>'billingEmail' IS NOT NULL
UNION ALL
(SELECT u.email, u.id FROM tocsin.projects p
JOIN tocsin.user_roles h ON h.project_id = p.id
JOIN tocsin.roles r ON r.project_id = h.project_id AND r.id = h.role_id AND r.built_in AND r.name IN ('owner', 'admin')
JOIN tocsin.users u ON u.project_id = h.project_id AND u.id = h.user_id
WHERE p.id = :project AND p.settings->>'billingEmail' IS NULL AND u.email IS NOT NULL AND u.status <> 'disabled'
ORDER BY u.id = p.owner_id DESC, r.name = 'owner' DESC, u.id LIMIT 1)
""")

log = structlog.get_logger(__name__)


class NoticeStage:
    """Any number may run: a notice belongs to whoever takes it."""

    def __init__(self, db: Database, broker: Broker, vault: Vault) -> None:
        self._db = db
        self._broker = broker
        self._vault = vault

    async def run_once(self) -> bool:
        """True when there may be more."""
        untold = await self._db.hot.fetch("SELECT * FROM tocsin.untold_notices($1)", MOST_AT_ONCE)
        for notice in untold:
            async with self._db.scope(notice["project_id"], "live") as session:
                await _tell(session, self._vault, notice)
        if untold:
            self._broker.wake("events")
        return len(untold) == MOST_AT_ONCE


async def _tell(session: AsyncSession, vault: Vault, notice: asyncpg.Record) -> None:
    connection, project_id = await driver(session), notice["project_id"]
    place = (notice["quota"], notice["period"], notice["percent"], notice["allowed"])
    if not await connection.fetchval(_TAKE, project_id, *place):
        return
    month = datetime.combine(notice["period"], time(), UTC)
    name = "quota.exceeded" if notice["percent"] == 100 else "quota.warning"
    told: dict[str, Any] = {
        "quota": notice["quota"],
        "used": notice["used"],
        "limit": notice["allowed"],
        "percent": notice["percent"],
        "period": notice["period"].isoformat()[:7],
        "resetsAt": iso(resets_at(notice["quota"], month)),
    }
    await connection.execute(_AUDIT, project_id, new_id(), name, notice["quota"], as_json({"after": told}))
    await occur(connection, project_id, "live", f"tocsin.{name}", told)
    await tell(connection, project_id, "live", name, told)
    await _mail(session, vault, notice, resets_at(notice["quota"], month))


async def _mail(session: AsyncSession, vault: Vault, notice: asyncpg.Record, resets: datetime) -> None:
    project_id = notice["project_id"]
    contact = (await session.execute(_CONTACT, {"project": project_id})).one_or_none()
    if contact is None:
        return
    kind: Kind = "quota_exceeded" if notice["percent"] == 100 else "quota_warning"
    allowed = await entitlements(session, project_id)
    details = {
        "quota": notice["quota"],
        "used": f"{notice['used']:,}",
        "limit": f"{notice['allowed']:,}",
        "resets": f"{resets:%Y-%m-%d %H:%M} UTC",
        "then": "what is over is counted" if allowed.overage else _then(notice["quota"]),
    }
    try:
        await post(session, vault, project_id, "live", kind, contact.email, details, user_id=contact.user_id)
    except Unreadable as error:
        # Without its mail it is told all the same; and those of other projects wait behind it.
        log.error("no mail about a quota", project=str(project_id), error=str(error))


def _then(quota: str) -> str:
    """What becomes of more than a quota without overage."""
    return f"further {quota} are {'kept and not sent' if quota == 'notifications' else 'refused'}"
