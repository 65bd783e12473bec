"""A stage of the worker: whoever has not seen it in time, or could not be reached, is told by their next channel (R2).

What is due is read, and acted upon in a transaction of its project's: deliveries and the next turn, or nothing. Any
number of workers may run; a person's turn is in one hand at a time.
"""

from typing import NamedTuple
from uuid import UUID

from tocsin.kit import crash
from tocsin.kit.broker import Broker, Waiter
from tocsin.kit.db import Database, Env
from tocsin.kit.due import NextLook, act_on
from tocsin.kit.together import Together, uuids

MOST_AT_ONCE = 2_000
MOST_EACH = 200
"""Turns of a project in one transaction."""
TOGETHER = 400

TAKE = """
SELECT c.number, tocsin.take_channel_turns(c.project, c.env, c.notifications::uuid[], c.people::uuid[])
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
    WITH ORDINALITY AS c (project, env, notifications, people, number)
"""


class Turn(NamedTuple):
    """A recipient whose next channel is due."""

    notification_id: UUID
    user_id: UUID


class TurnStage:
    def __init__(self, db: Database, broker: Broker, ear: Waiter) -> None:
        """``ear`` is woken when something is due."""
        self._db = db
        self._broker = broker
        self._taking = Together(db, TAKE, TOGETHER)
        self._next = NextLook(db, ear, "SELECT tocsin.turns_in()")

    async def run_once(self) -> bool:
        """Everything that is due, as far as it goes at once; True when there may be more."""
        rows = await self._db.hot.fetch(
            "SELECT project_id, env, notifications, people FROM tocsin.due_channel_turns($1)", MOST_AT_ONCE
        )
        due = [
            (project_id, env, list(map(Turn, notifications, people))) for project_id, env, notifications, people in rows
        ]
        if due:
            crash.here("turn.after_due")
        done = await act_on(due, MOST_EACH, self._take)
        if done.made:
            self._broker.wake("deliveries")
        return await self._next.after(done, MOST_AT_ONCE // 2)

    async def _take(self, project_id: UUID, env: Env, turns: list[Turn]) -> int:
        """How many deliveries it made."""
        notifications, people = zip(*turns, strict=True)
        crash.soon("turn.under_way")
        (row,) = await self._taking.call(project_id, env, uuids(notifications), uuids(people), weight=len(turns))
        crash.here("turn.after_commit")
        return len(row[1])
