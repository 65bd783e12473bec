"""Recording what an attempt brought: the next state, the attempt's row, and when to try again (D2)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from tocsin.channels.contract import (
    TOO_MANY,
    BadCredentials,
    Channel,
    Described,
    Receipt,
    Rejected,
    SendFailure,
    Unavailable,
    is_too_many,
)
from tocsin.channels.masking import without_secrets
from tocsin.deliveries.queue import RETRY_RANK
from tocsin.kit import crash
from tocsin.kit.db import json_text
from tocsin.kit.together import Calls, uuids

JITTER = (0.8, 1.2)
MOST_RETRY_AFTER_SECONDS = 24 * 3600
LOOK_AGAIN_SECONDS = (60, 3600)
LONGEST_WAIT_SECONDS = 24 * 3600
"""For somebody to mend a connection; that hastens what waits for it, so it is looked at ever more rarely."""
KEPT_TEXT = 4_096


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one delivery in one attempt. ``outcome`` is None where nothing was attempted. The next one is due
    in so many seconds after this is recorded, by the database's clock: that of a worker may be wrong."""

    delivery_id: UUID
    number: int
    state: str
    outcome: str | None
    rank: int
    due_in: float | None = None
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
    keeps_rank: bool = False
    """It waits for its connection to have room, which is no failure of its own."""


class Count(NamedTuple):
    """The number of an attempt, and which try that is if it counts as one: 429 is the pace of a connection.
    ``age_seconds`` is the delivery's."""

    attempt: int
    tries: int
    age_seconds: float


def judged(
    outcome: Receipt | SendFailure, channel: Channel[Any, Any], credentials: Described, count: Count
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
    if is_too_many(outcome):
        due_in = patient_in(channel.retries, count, asked)
    else:
        due_in = retry_in(channel.retries, count.tries, asked)
    return {**told, "state": "failed" if due_in is None else "queued", "outcome": kind, "due_in": due_in}


def retry_in(schedule: Sequence[int], attempt: int, asked: float | None) -> float | None:
    """In how many seconds attempt ``attempt + 1`` is due: the schedule with jitter, or more if the provider asked;
    None: given up."""
    if attempt >= len(schedule):
        return None
    seconds = schedule[attempt] * random.uniform(*JITTER)
    if asked is not None:
        seconds = max(seconds, min(asked, MOST_RETRY_AFTER_SECONDS))
    return seconds


def patient_in(schedule: Sequence[int], count: Count, asked: float | None) -> float | None:
    """In how many seconds a delivery that met 429 is due, ever later; None: it has waited for a day, or as long as its
    tries take."""
    if count.age_seconds > max(LONGEST_WAIT_SECONDS, sum(schedule)):
        return None
    return retry_in(schedule, min(count.attempt, len(schedule) - 1), asked)


async def counted(
    connection: asyncpg.Connection, project_id: UUID, delivery_id: UUID, attempt: int, age_seconds: float
) -> Count:
    """The count of an attempt, with what was recorded of those before it."""
    patient = await connection.fetchval(_PATIENT, project_id, delivery_id, attempt, TOO_MANY)
    return Count(attempt, attempt - patient, age_seconds)


_PATIENT = """
SELECT count(*) FROM tocsin.attempts WHERE project_id = $1 AND delivery_id = $2 AND number < $3 AND status = $4
"""


def look_again_in(age_seconds: float) -> float | None:
    """In how many seconds to see whether the connection of a delivery was mended: half its age; None: it waited for a
    day."""
    if age_seconds > LONGEST_WAIT_SECONDS:
        return None
    shortest, longest = LOOK_AGAIN_SECONDS
    return min(max(age_seconds / 2, shortest), longest) * random.uniform(*JITTER)


RECORD_RESULTS = """
SELECT c.number, tocsin.record_and_tell(c.project, c.env, c.token, c.results::json, c.untouched::uuid[])
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[])
    WITH ORDINALITY AS c (project, env, token, results, untouched, number)
"""


async def record(
    recording: Calls,
    project_id: UUID,
    env: str,
    token: UUID,
    results: Sequence[Result],
    untouched: Sequence[UUID] = (),
) -> None:
    """Write results of one claim, and undo that for what nothing was done for. A lost lease changes nothing.

    Webhook endpoints that listen are told in the same transaction.
    """
    rows = [replace(each, rank=_next_rank(each)) for each in results]
    text = json_text(rows)
    crash.soon("send.under_way")
    weight = len(results) + len(untouched)
    await recording.call(project_id, env, token, text, uuids(untouched), weight=weight)


def _next_rank(result: Result) -> int:
    """Behind all first attempts, if there is to be another one."""
    if result.keeps_rank:
        return result.rank
    return result.rank % RETRY_RANK + RETRY_RANK if result.state == "queued" else result.rank
