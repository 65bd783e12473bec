"""The stage that does what endpoints need besides sending: tell of pauses, recover, remove.

Each is a row that says so, and a look takes one bounded step of each; a step is one transaction, so no crash can make
it twice or never.
"""

from typing import Any
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.occurrence import occur
from tocsin.audit.record import Actor, record
from tocsin.kit.broker import Broker
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database, Env, driver, switch_scope
from tocsin.kit.vault import Vault
from tocsin.mail.post import post

MOST_AT_ONCE = 100
STEP = 2_000
"""Messages that one step takes."""

log = structlog.get_logger(__name__)


class UpkeepStage:
    """As many as like may run: an endpoint is in one hand at a time."""

    def __init__(self, db: Database, broker: Broker, vault: Vault) -> None:
        self._db = db
        self._broker = broker
        self._vault = vault

    async def run_once(self) -> bool:
        """One step for each endpoint that needs one; True when there may be more."""
        ended = await self._db.hot.fetchval("SELECT tocsin.fail_resting_webhooks($1)", STEP)
        chores = await self._db.hot.fetch("SELECT * FROM tocsin.webhook_chores($1)", MOST_AT_ONCE)
        goes_on = [await self._do(chore) for chore in chores]
        return any(goes_on) or ended == STEP or len(chores) == MOST_AT_ONCE

    async def _do(self, chore: asyncpg.Record) -> bool:
        async with self._db.scope(chore["project_id"], chore["env"]) as session:
            if chore["kind"] == "tell":
                if await _tell_of_pause(session, self._vault, chore["project_id"], chore["env"], chore["id"]):
                    self._broker.wake("events")
                return False
            if chore["kind"] == "recover":
                return await _recover_some(session, chore["project_id"], chore["id"])
            return await _remove_some(session, chore["project_id"], chore["env"], chore["id"])


async def _tell_of_pause(session: AsyncSession, vault: Vault, project_id: UUID, env: str, endpoint_id: UUID) -> bool:
    """In the audit log, as an event that rules can use, and by mail to whoever made the endpoint, else the owner."""
    row = (await session.execute(_TAKE, {"id": endpoint_id})).one_or_none()
    if row is None:
        return False
    told = {"endpointId": str(endpoint_id), "url": row.url, "reason": row.status_reason}
    actor = Actor("system", "webhooks")
    after = {"status": "paused", "statusReason": row.status_reason, "url": row.url}
    await record(
        session, project_id, env, actor, "webhook_endpoint.paused", "webhook_endpoint", endpoint_id, {"after": after}
    )
    await occur(await driver(session), project_id, env, "tocsin.webhook.paused", told)
    owner = (await session.execute(_OWNER, {"project": project_id, "creator": row.created_by})).first()
    if owner is None:
        return True
    details = {"endpoint": row.url.partition("://")[2], "reason": row.status_reason or ""}
    try:
        await post(session, vault, project_id, env, "webhook_paused", owner.email, details, user_id=owner.id)
    except Unreadable as error:
        # Without its mail it is told all the same; and those of other projects wait behind it.
        log.error("no mail about a paused endpoint", project=str(project_id), error=str(error))
    return True


_TAKE = text("""
UPDATE tocsin.webhook_endpoints SET pause_told = true WHERE id = :id AND status = 'paused' AND NOT pause_told
RETURNING url, status_reason, created_by
""")
_OWNER = text("""
SELECT u.id, u.email FROM tocsin.projects p
JOIN tocsin.users u ON u.project_id = p.id AND u.id IN (p.owner_id, :creator)
WHERE p.id = :project AND u.email IS NOT NULL AND u.status = 'active'
ORDER BY u.id = :creator DESC NULLS LAST LIMIT 1
""")


async def _recover_some(session: AsyncSession, project_id: UUID, endpoint_id: UUID) -> bool:
    """Queue again some of what failed in the time that is asked for; True when there may be more.

    What fails once more does so later, so each step finds what is left.
    """
    endpoint = (await session.execute(_RECOVERING, {"id": endpoint_id})).one_or_none()
    if endpoint is None:
        return False
    where = {"project": project_id, "id": endpoint_id, "most": STEP}
    step: Any = (
        await session.execute(_AGAIN, {**where, "since": endpoint.recover_since, "until": endpoint.recover_until})
    ).one()
    ended = step.seen < STEP
    await session.execute(_CAME_SO_FAR, {"id": endpoint_id, "again": step.again, "ended": ended})
    return not ended


_RECOVERING = text("""
SELECT recover_since, recover_until FROM tocsin.webhook_endpoints
WHERE id = :id AND status = 'active' AND recover_until IS NOT NULL FOR UPDATE SKIP LOCKED
""")
# What is recovered has all tries again, behind what is new.
_AGAIN = text("""
WITH seen AS MATERIALIZED (
    SELECT m.id FROM tocsin.webhook_messages m
    WHERE m.project_id = :project AND m.endpoint_id = :id AND m.state = 'failed'
        AND m.finished_at >= :since AND m.finished_at < :until
    ORDER BY m.finished_at LIMIT :most
), again AS (
    UPDATE tocsin.webhook_messages m SET state = 'queued', ready = true, rank = 2, tries = 0, crashes = 0,
        last_error = NULL, finished_at = NULL
    FROM seen s WHERE m.project_id = :project AND m.id = s.id AND m.state = 'failed' RETURNING 1
)
SELECT (SELECT count(*) FROM seen) AS seen, (SELECT count(*) FROM again) AS again
""")
_CAME_SO_FAR = text("""
UPDATE tocsin.webhook_endpoints SET recovered = recovered + :again,
    recover_until = CASE WHEN :ended THEN NULL ELSE recover_until END,
    recovered_at = CASE WHEN :ended THEN now() END
WHERE id = :id
""")


async def _remove_some(session: AsyncSession, project_id: UUID, env: Env, endpoint_id: UUID) -> bool:
    """Remove messages, and with the last of them the endpoint; True when there are further ones."""
    if (await session.execute(_REMOVED, {"id": endpoint_id})).first() is None:
        return False
    envs: tuple[Env, ...] = ("test", "live") if env == "live" else ("test",)  # the sandbox tells live endpoints too
    for each in envs:
        await switch_scope(session, project_id, each)
        if await session.scalar(_REMOVE_MESSAGES, {"project": project_id, "id": endpoint_id, "most": STEP}):
            return True
    await session.execute(_REMOVE, {"id": endpoint_id})
    return False


_REMOVED = text("SELECT id FROM tocsin.webhook_endpoints WHERE id = :id AND status = 'removed' FOR UPDATE SKIP LOCKED")
_REMOVE_MESSAGES = text("""
WITH gone AS (
    DELETE FROM tocsin.webhook_messages WHERE (project_id, id) IN (
        SELECT project_id, id FROM tocsin.webhook_messages
        WHERE project_id = :project AND endpoint_id = :id LIMIT :most)
    RETURNING 1
)
SELECT count(*) FROM gone
""")
_REMOVE = text("DELETE FROM tocsin.webhook_endpoints WHERE id = :id AND status = 'removed'")
