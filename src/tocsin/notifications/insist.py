"""A stage of the worker: what nobody has acknowledged comes again, and reaches further people (R3).

What is due is read, and acted upon in a transaction of its project's: deliveries, recipients and the next time, or
nothing. Any number of workers may run; a notification is in one hand at a time. Times are the database's: after each
look the stage asks how long it is to the next one, and is there then.
"""

from uuid import UUID

from tocsin.kit import crash
from tocsin.kit.broker import Broker, Waiter
from tocsin.kit.db import Database, Env
from tocsin.kit.due import NextLook, act_on
from tocsin.kit.together import Together, uuids
from tocsin.realtime.signal import channel_of, signals

MOST_AT_ONCE = 2_000
MOST_EACH = 200
"""Notifications of a project in one transaction."""
TOGETHER = 400

INSIST = """
SELECT c.number, tocsin.insist_in_hours(c.project, c.env, c.ids::uuid[])
FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS c (project, env, ids, number)
"""


class InsistStage:
    def __init__(self, db: Database, broker: Broker, ear: Waiter) -> None:
        """``ear`` is woken when something is due."""
        self._db = db
        self._broker = broker
        self._insisting = Together(db, INSIST, TOGETHER)
        self._next = NextLook(db, ear, "SELECT tocsin.insists_in()")

    async def run_once(self) -> bool:
        """Everything that is due, as far as it goes at once; True when there may be more."""
        due = await self._db.hot.fetch("SELECT project_id, env, ids FROM tocsin.due_insistences($1)", MOST_AT_ONCE)
        if due:
            crash.here("insist.after_due")
        done = await act_on(due, MOST_EACH, self._insist)
        if done.made:
            self._broker.wake("deliveries")
        return await self._next.after(done, MOST_AT_ONCE // 2)

    async def _insist(self, project_id: UUID, env: Env, ids: list[UUID]) -> int:
        """How many it insisted on."""
        crash.soon("insist.under_way")
        (row,) = await self._insisting.call(project_id, env, uuids(ids), weight=len(ids))
        crash.here("insist.after_commit")
        for message in signals("repeated", row[1]):
            self._broker.publish(channel_of(project_id, env), message)
        return len(row[1])
