"""Recording what an attempt brought: the next state, the attempt's row, and when to try again (D2)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from tocsin.channels.contract import BadCredentials, Channel, Described, Receipt, Rejected, SendFailure, Unavailable
from tocsin.connections.configuration import without_secrets
from tocsin.deliveries.queue import RETRY_RANK
from tocsin.kit.db import as_json

JITTER = (0.8, 1.2)
MOST_RETRY_AFTER_SECONDS = 24 * 3600
LOOK_AGAIN_SECONDS = (60, 3600)
LONGEST_WAIT = timedelta(hours=24)
"""For somebody to mend a connection; that hastens what waits for it, so it is looked at ever more rarely."""
KEPT_TEXT = 4_096


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one delivery in one attempt. ``outcome`` is None where nothing was attempted."""

    delivery_id: UUID
    number: int
    state: str
    outcome: str | None
    rank: int
    due_at: datetime | None = None
    error: str | None = None
    status: int | None = None
    answer: str | None = None
    provider_message_id: str | None = None
    address: str | None = None
    connection_project: UUID | None = None
    connection_id: UUID | None = None
    connection_reason: str | None = None
    captured: dict[str, Any] | None = None
    started_at: datetime | None = None
    duration_ms: int = 0


def judged(
    outcome: Receipt | SendFailure, channel: Channel[Any, Any], credentials: Described, attempt: int
) -> dict[str, Any]:
    """The part of a result that follows from the provider's answer, in which no secret of ours stays (C3)."""
    answer = without_secrets(outcome.answer, credentials)[:KEPT_TEXT] or None
    if isinstance(outcome, Receipt):
        return {
            "state": "delivered" if outcome.delivered else "sent",
            "outcome": "ok",
            "status": outcome.status,
            "answer": answer,
            "provider_message_id": outcome.provider_message_id,
        }
    told: dict[str, Any] = {
        "error": without_secrets(outcome.reason, credentials)[:KEPT_TEXT],
        "status": outcome.status,
        "answer": answer,
    }
    if isinstance(outcome, Rejected):
        return {**told, "state": "failed", "outcome": "permanent"}
    kind = "credentials" if isinstance(outcome, BadCredentials) else "temporary"
    asked = outcome.retry_after if isinstance(outcome, Unavailable) else None
    due_at = retry_at(channel.retries, attempt, asked)
    return {**told, "state": "failed" if due_at is None else "queued", "outcome": kind, "due_at": due_at}


def retry_at(schedule: Sequence[int], attempt: int, asked: float | None) -> datetime | None:
    """When attempt ``attempt + 1`` is due: the schedule with jitter, or later if the provider asked; None: given up."""
    if attempt >= len(schedule):
        return None
    seconds = schedule[attempt] * random.uniform(*JITTER)
    if asked is not None:
        seconds = max(seconds, min(asked, MOST_RETRY_AFTER_SECONDS))
    return datetime.now(UTC) + timedelta(seconds=seconds)


def look_again_at(queued_at: datetime) -> datetime | None:
    """When to see whether the connection of a delivery was mended: after half its age; None: it waited for a day."""
    now = datetime.now(UTC)
    age = now - queued_at
    if age > LONGEST_WAIT:
        return None
    shortest, longest = LOOK_AGAIN_SECONDS
    seconds = min(max(age.total_seconds() / 2, shortest), longest) * random.uniform(*JITTER)
    return now + timedelta(seconds=seconds)


# Attempts are kept of what was still ours and was really tried.
_RECORD = """
WITH ours AS (
UPDATE tocsin.deliveries d SET
    state = r.state, ready = false, rank = r.rank, due_at = coalesce(r.due_at, d.due_at), crashes = 0,
    attempts = CASE WHEN r.tried THEN r.number ELSE d.attempts END,
    lease_token = NULL, lease_until = NULL, last_error = r.error, address = coalesce(r.address, d.address),
    provider_message_id = coalesce(r.provider_message_id, d.provider_message_id),
    connection_project = r.connection_project, connection_id = r.connection_id,
    connection_reason = coalesce(r.connection_reason, d.connection_reason),
    captured = r.captured::json,
    sent_at = CASE WHEN r.state IN ('sent', 'delivered') THEN coalesce(d.sent_at, clock_timestamp()) ELSE d.sent_at END,
    delivered_at = CASE WHEN r.state = 'delivered' THEN clock_timestamp() ELSE d.delivered_at END,
    finished_at = CASE WHEN r.state = 'queued' THEN NULL ELSE clock_timestamp() END
FROM unnest($3::uuid[], $4::int[], $5::text[], $6::bool[], $7::smallint[], $8::timestamptz[], $9::text[], $10::text[],
    $11::text[], $12::uuid[], $13::uuid[], $14::text[], $15::text[])
    AS r (id, number, state, tried, rank, due_at, error, address, provider_message_id, connection_project,
        connection_id, connection_reason, captured)
WHERE d.project_id = $1 AND d.id = r.id AND d.lease_token = $2
RETURNING d.id
), tried AS (
INSERT INTO tocsin.attempts (project_id, env, delivery_id, number, connection_id, outcome, status, answer, error,
    started_at, duration_ms, next_due_at)
SELECT $1, $16, a.id, a.number, a.connection_id, a.outcome, a.status, a.answer, a.error, a.started_at, a.duration_ms,
    a.due_at
FROM unnest($3::uuid[], $4::int[], $13::uuid[], $17::text[], $18::int[], $19::text[], $9::text[], $20::timestamptz[],
    $21::int[], $8::timestamptz[])
    AS a (id, number, connection_id, outcome, status, answer, error, started_at, duration_ms, due_at)
WHERE a.outcome IS NOT NULL AND a.id IN (SELECT id FROM ours)
ON CONFLICT DO NOTHING
)
SELECT id FROM ours
"""


_GIVE_BACK = """
UPDATE tocsin.deliveries
SET state = 'queued', ready = true, crashes = crashes - 1, lease_token = NULL, lease_until = NULL
WHERE project_id = $1 AND id = ANY($3) AND lease_token = $2
"""


async def record(
    connection: asyncpg.Connection, project_id: UUID, env: str, token: UUID, results: Sequence[Result]
) -> set[UUID]:
    """Write results of one claim; the deliveries that were still ours. A lost lease changes nothing."""
    rows = await connection.fetch(
        _RECORD,
        project_id,
        token,
        [r.delivery_id for r in results],
        [r.number for r in results],
        [r.state for r in results],
        [r.outcome is not None for r in results],
        [r.rank % RETRY_RANK + RETRY_RANK if r.state == "queued" else r.rank for r in results],
        [r.due_at for r in results],
        [r.error for r in results],
        [r.address for r in results],
        [r.provider_message_id for r in results],
        [r.connection_project for r in results],
        [r.connection_id for r in results],
        [r.connection_reason for r in results],
        [as_json(r.captured) for r in results],
        env,
        [r.outcome for r in results],
        [r.status for r in results],
        [r.answer for r in results],
        [r.started_at for r in results],
        [r.duration_ms for r in results],
    )
    return {row["id"] for row in rows}


async def give_back(connection: asyncpg.Connection, project_id: UUID, token: UUID, untouched: Sequence[UUID]) -> None:
    """Undo the claim of deliveries that nothing was done for: that their process lives is no crash of theirs."""
    if untouched:
        await connection.execute(_GIVE_BACK, project_id, token, untouched)
