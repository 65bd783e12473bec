"""A stage of the worker: whether providers still take the credentials of connections (C5).

Each connection is asked for every quarter of an hour, sooner after a failure, with jitter. Three refusals of the
credentials in a row stop it; a provider that is busy or away never does. What was stopped for that is asked for all the
same, and sends again once the credentials are taken. A fault that only sending meets is not lifted by a check that
never saw it.
"""

import asyncio
import random
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.channels.contract import Account, BadCredentials, Channel, Rejected, SendFailure, Unavailable
from tocsin.channels.masking import without_secrets
from tocsin.channels.registry import providers
from tocsin.connections.announce import Changed
from tocsin.connections.claims import TAKEN, claimed, tells
from tocsin.connections.led_away import led_away, note_led_away
from tocsin.connections.models import Connection
from tocsin.connections.opened import Closed, Opened, opened
from tocsin.connections.templates import keep_templates
from tocsin.connections.waiting import hasten
from tocsin.connections.warned import note_warnings
from tocsin.kit.away import is_away
from tocsin.kit.db import Database, Env
from tocsin.kit.http import Door
from tocsin.kit.ids import new_id
from tocsin.kit.vault import Vault

USUALLY = timedelta(minutes=15)
AFTER_A_FAILURE = timedelta(minutes=1)
JITTER = (0.8, 1.2)
REFUSALS_STOP = 3
CHECK_SECONDS = 20.0
LEASE_SECONDS = 120
"""Who takes a check and ends over it leaves it to others after so long."""
MOST_PROJECTS, MOST_EACH = 16, 2
EVERY_SECONDS = 10.0
KEPT_WORDS = 500

NOBODY = UUID(int=0)
LIVE: Env = "live"

log = structlog.get_logger(__name__)


def is_checked(row: Connection) -> bool:
    """Whether a connection is asked for at all as it stands."""
    provider = providers().get(row.provider)
    askable = isinstance(provider, Channel) and provider.asks_quietly
    return askable and row.env == LIVE and row.status in ("active", "rate_limited", "error")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a provider said when it was asked."""

    outcome: Literal["ok", "temporary", "permanent", "credentials"]
    status: int | None
    error: str | None
    duration_ms: int
    account: Account | None = None
    led_away: str | None = None

    @property
    def health(self) -> str:
        if self.led_away is not None:
            return "degraded"
        return {"ok": "healthy", "credentials": "failing"}.get(self.outcome, "degraded")


class CheckStage:
    """Any number may run: a check belongs to whoever takes it."""

    def __init__(self, db: Database, vault: Vault, door: Door, changed: Changed, hooks_url: str | None) -> None:
        """``hooks_url`` is where providers call us, None where the world cannot reach us."""
        self._db = db
        self._hooks_url = hooks_url
        self._vault = vault
        self._door = door
        self._changed = changed
        self._after = NOBODY

    async def run_once(self) -> bool:
        """Check some connections of the next projects in turn, side by side; whether there may be more."""
        askable = {name: each for name, each in providers().items() if isinstance(each, Channel) and each.asks_quietly}
        due = await self._db.hot.fetch(_CLAIM, self._after, MOST_PROJECTS, MOST_EACH, LEASE_SECONDS, list(askable))
        again = bool(due) or self._after != NOBODY
        self._after = max((project_id for project_id, _ in due), default=NOBODY)
        async with asyncio.TaskGroup() as checks:
            for project_id, id_ in due:
                checks.create_task(self._check_safely(project_id, id_))
        return again

    async def _check_safely(self, project_id: UUID, id_: UUID) -> None:
        """One that cannot be checked spoils nothing but itself: its turn comes again."""
        try:
            await self._check(project_id, id_)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("connection not checked", project=str(project_id), connection=str(id_))

    async def _check(self, project_id: UUID, id_: UUID) -> None:
        async with self._db.unit(project_id, LIVE) as connection:
            row = await connection.fetchrow(_PROVIDER, project_id, id_)
            channel = providers().get(row["provider"]) if row else None
            if not isinstance(channel, Channel):
                return
            try:
                found = await opened(connection, self._vault, project_id, id_, channel)
            except Closed:
                return  # whoever sends over it finds out, and a check can say nothing of the provider
        if found is None:
            return
        finding = await asked(channel, found, self._door)
        if finding.outcome == "ok" and row["token"] and self._hooks_url:
            ours = f"{self._hooks_url}/{row['provider']}/{row['token']}"
            finding = replace(finding, led_away=await led_away(channel, found, ours, self._door))
        async with self._db.scope(project_id, LIVE) as session:
            changed = await _note(session, self._vault, project_id, id_, found, finding)
        if changed:
            self._changed(project_id, LIVE, id_)


_CLAIM = "SELECT project_id, id FROM tocsin.claim_connection_checks($1, $2, $3, $4, $5)"
_PROVIDER = """
SELECT c.provider, h.token FROM tocsin.connections c
LEFT JOIN tocsin.hooks h ON h.project_id = c.project_id AND h.connection_id = c.id
    AND h.registered_at IS NOT NULL AND NOT h.polled
WHERE c.project_id = $1 AND c.id = $2
"""


async def asked(channel: Channel[Any, Any], found: Opened, door: Door) -> Finding:
    """Ask the provider, in no transaction; what it says comes without our secrets."""
    began = time.perf_counter()
    account: Account | None = None
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            account = await channel.health(found.settings, found.credentials, door)
        failure: SendFailure | None = None
    except SendFailure as error:
        failure = error
    except TimeoutError:
        failure = Unavailable(f"There was no answer within {CHECK_SECONDS:g} s.")
    duration_ms = round((time.perf_counter() - began) * 1000)
    if account is not None:
        told = tuple(without_secrets(each, found.credentials)[:KEPT_WORDS] for each in account.warnings)
        return Finding("ok", None, None, duration_ms, replace(account, warnings=told))
    if failure is None:
        return Finding("ok", None, None, duration_ms)
    words = without_secrets(f"{failure.reason} {failure.answer}".strip(), found.credentials)[:KEPT_WORDS]
    return Finding(_outcome(failure), failure.status, words, duration_ms)


def _outcome(failure: SendFailure) -> Literal["temporary", "permanent", "credentials"]:
    if isinstance(failure, BadCredentials):
        return "credentials"
    return "permanent" if isinstance(failure, Rejected) else "temporary"


async def _note(
    session: AsyncSession, vault: Vault, project_id: UUID, id_: UUID, found: Opened, finding: Finding
) -> bool:
    """Write a finding down, unless the connection is another one by now; whether its status changed."""
    place = {"project": project_id, "id": id_}
    row = (await session.execute(_HOLD, {**place, "version": found.version})).one_or_none()
    if row is None:
        return False
    if finding.outcome == "ok" and row.account and tells(row.provider):
        # Kept under the present master key; what came back after somebody else had proven the account stays stopped.
        theirs = not await claimed(session, vault, row.provider, id_, row.account["id"])
        finding = replace(finding, outcome="permanent", error=TAKEN) if theirs else finding
    if finding.account is not None and finding.account.templates is not None:
        await keep_templates(session, project_id, id_, finding.account.templates)
    if finding.outcome == "ok" and finding.account is not None:
        await note_warnings(session, vault, project_id, LIVE, id_, row, finding.account.warnings)
    refusals = {"ok": 0, "credentials": row.refusals + 1}.get(finding.outcome, row.refusals)
    status = _status(row.status, row.refusals, refusals, finding)
    wait = (USUALLY if finding.outcome == "ok" or status == "error" else AFTER_A_FAILURE) * random.uniform(*JITTER)
    values = {"health": finding.health, "refusals": min(refusals, 30_000), "wait": wait}
    await session.execute(_SEEN, {**place, **values})
    if finding.led_away is not None:
        await note_led_away(session, vault, project_id, LIVE, id_, finding.led_away)
    elif finding.outcome == "ok" and status == row.status:
        await session.execute(_WELL, place)
    told = {"outcome": finding.outcome, "status": finding.status, "error": finding.error or finding.led_away}
    await session.execute(_KEEP, {**place, **told, "check": new_id(), "duration_ms": finding.duration_ms})
    if status == row.status:
        return False
    await session.execute(_TURN, {**place, "status": status, "reason": finding.error})
    if status == "active":
        await hasten(session, project_id, LIVE, row.channel)
        after = {"before": {"status": row.status, "statusReason": row.status_reason}, "after": {"status": status}}
        await record(session, project_id, LIVE, Actor("system", None), "connection.resumed", "connection", id_, after)
    return True


def _status(status: str, refused_before: int, refusals: int, finding: Finding) -> str:
    if status != "error":
        return "error" if refusals >= REFUSALS_STOP else status
    return "active" if finding.outcome == "ok" and refused_before else status


_HOLD = text("""
SELECT status, status_reason, refusals, channel, provider, account, name, user_id, warnings, warned
FROM tocsin.connections
WHERE project_id = :project AND id = :id AND updated_at = :version AND status IN ('active', 'rate_limited', 'error')
FOR UPDATE
""")
# Not `updated_at`: what sends with the connection need not open it again because somebody has looked.
_SEEN = text("""
UPDATE tocsin.connections
SET last_health_check = now(), health_status = :health, refusals = :refusals, next_check_at = now() + :wait
WHERE project_id = :project AND id = :id
""")
_WELL = text("""
UPDATE tocsin.connections SET status_reason = NULL
WHERE project_id = :project AND id = :id AND status = 'active' AND status_reason IS NOT NULL
""")
_TURN = text("""
UPDATE tocsin.connections SET status = :status, status_reason = :reason, paused_until = NULL, updated_at = now()
WHERE project_id = :project AND id = :id
""")
_KEEP = text("""
INSERT INTO tocsin.connection_checks (project_id, connection_id, id, env, outcome, status, error, duration_ms)
VALUES (:project, :id, :check, 'live', :outcome, :status, :error, :duration_ms)
""")
