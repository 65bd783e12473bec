"""Telling of 80 and 100 percent: once, in the project's audit log and as an event that rules can use (Q2, R7).

That a quota got so far is a row, written in the transaction that got it there. Telling takes the row and writes what
is told in one transaction, so no crash can make it twice or never.
"""

from datetime import UTC, datetime, time
from typing import Any

import asyncpg

from tocsin.audit.occurrence import occur
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, as_json
from tocsin.kit.ids import new_id
from tocsin.kit.schema import iso
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


class NoticeStage:
    """Any number may run: a notice belongs to whoever takes it."""

    def __init__(self, db: Database, broker: Broker) -> None:
        self._db = db
        self._broker = broker

    async def run_once(self) -> bool:
        """True when there may be more."""
        untold = await self._db.hot.fetch("SELECT * FROM tocsin.untold_notices($1)", MOST_AT_ONCE)
        for notice in untold:
            async with self._db.unit(notice["project_id"], "live") as connection:
                await _tell(connection, notice)
        if untold:
            self._broker.wake("events")
        return len(untold) == MOST_AT_ONCE


async def _tell(connection: asyncpg.Connection, notice: asyncpg.Record) -> None:
    project_id = notice["project_id"]
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
