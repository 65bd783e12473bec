"""What a provider reports later of a message that it took (D5).

Reports come late, twice and in any order, so what they leave behind does not depend on their order: a state moves
forward only. ``failed`` stands apart: it ends what was only sent, and is undone by nothing but proof of arrival.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from tocsin.deliveries.queue import RETRY_RANK

Told = Literal["sent", "delivered", "read", "failed"]

_FORWARD: dict[str, int] = {"sent": 1, "failed": 2, "queued": 2, "delivered": 3, "read": 4}
"""``queued``: the message failed, and another attempt is due."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A delivery that is reported on, locked until the end of the transaction."""

    project_id: UUID
    id: UUID
    state: str
    attempts: int
    rank: int
    address: str | None
    age_seconds: float


def moves(state: str, told: Told) -> bool:
    """Whether a report changes a delivery in this state."""
    return state in _FORWARD and _FORWARD[told] > _FORWARD[state]


async def held(connection: asyncpg.Connection, project_id: UUID, delivery_id: UUID, message: str) -> Reported | None:
    """The delivery whose message the provider knows by this id; None when it was sent again meanwhile."""
    row = await connection.fetchrow(_HOLD, project_id, delivery_id, message)
    return Reported(project_id, delivery_id, *row) if row else None


_HOLD = """
SELECT state, attempts, rank, address, extract(epoch FROM now() - created_at)::float FROM tocsin.deliveries
WHERE project_id = $1 AND id = $2 AND provider_message_id = $3 FOR UPDATE
"""


async def arrived(connection: asyncpg.Connection, delivery: Reported, told: Told, at: datetime | None) -> None:
    """It was delivered or read at that time, or now, whatever was thought before; another attempt is not needed."""
    await connection.execute(_ARRIVED, delivery.project_id, delivery.id, told, at)
    await connection.execute(_NO_FAILURE, delivery.project_id, delivery.id, delivery.attempts)
    if delivery.state != "delivered":
        await connection.execute(_TELL, delivery.project_id, delivery.id)


_ARRIVED = """
UPDATE tocsin.deliveries SET state = $3, ready = false, last_error = NULL, finished_at = coalesce(finished_at, now()),
    delivered_at = coalesce(delivered_at, least($4::timestamptz, now())),
    read_at = CASE WHEN $3 = 'read' THEN least($4::timestamptz, now()) ELSE read_at END
WHERE project_id = $1 AND id = $2
"""
_NO_FAILURE = """
UPDATE tocsin.attempts SET outcome = 'ok', error = NULL
WHERE project_id = $1 AND delivery_id = $2 AND number = $3 AND outcome <> 'ok'
"""


async def did_not_arrive(connection: asyncpg.Connection, delivery: Reported, told: dict[str, Any]) -> None:
    """The last attempt failed after all; ``told`` is as ``judged`` says, and may hold in how many seconds another one
    is due."""
    await connection.execute(
        _FAILED,
        delivery.project_id,
        delivery.id,
        told["state"],
        told["error"],
        told.get("due_in"),
        delivery.rank % RETRY_RANK + RETRY_RANK if told["state"] == "queued" else delivery.rank,
    )
    await connection.execute(
        _ATTEMPT_FAILED,
        delivery.project_id,
        delivery.id,
        delivery.attempts,
        told["outcome"],
        told["error"],
        told.get("due_in"),
    )
    if told["state"] == "failed":
        await connection.execute(_TELL, delivery.project_id, delivery.id)
        await connection.execute(_OCCUR, delivery.project_id, delivery.id)
        await connection.execute(_NEXT_CHANNEL, delivery.project_id, delivery.id)


_NEXT_CHANNEL = "SELECT tocsin.pass_turns($1, ARRAY[$2::uuid])"
_FAILED = """
UPDATE tocsin.deliveries SET state = $3, ready = false, last_error = $4, rank = $6,
    due_at = coalesce(now() + make_interval(secs => $5), due_at),
    finished_at = CASE WHEN $3 = 'queued' THEN NULL ELSE now() END
WHERE project_id = $1 AND id = $2
"""
_ATTEMPT_FAILED = """
UPDATE tocsin.attempts SET outcome = $4, error = $5, next_due_at = now() + make_interval(secs => $6)
WHERE project_id = $1 AND delivery_id = $2 AND number = $3
"""
_OCCUR = "SELECT tocsin.occur_failing($1, tocsin.current_env(), ARRAY[$2::uuid])"
_TELL = """
SELECT tocsin.tell_of_deliveries($1, tocsin.current_env(), ARRAY[$2::uuid]) WHERE tocsin.deliveries_are_heard($1)
"""
