"""A stage of the worker: what nobody has acknowledged comes again, and reaches further people (R3).

What is due is read, and acted upon in a transaction of its project's: deliveries, recipients and the next time, or
nothing. Any number of workers may run; a notification is in one hand at a time. Times are the database's: after each
look the stage asks how long it is to the next one, and is there then.
"""

import asyncio
from uuid import UUID

import structlog

from tocsin.kit import crash
from tocsin.kit.broker import Broker, Waiter
from tocsin.kit.db import Database, Env
from tocsin.kit.problems import is_away
from tocsin.kit.together import Together, uuids
from tocsin.realtime.signal import channel_of, signals

MOST_AT_ONCE = 2_000
MOST_EACH = 200
"""Notifications of a project in one transaction."""
TOGETHER = 400
SOON_SECONDS = 2.0
REST_SECONDS = 0.1
"""Between two looks at least, so that many that fall due one after the other are acted upon in groups."""

INSIST = """
SELECT c.number, tocsin.insist_in_hours(c.project, c.env, c.ids::uuid[])
FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS c (project, env, ids, number)
"""

log = structlog.get_logger(__name__)


class InsistStage:
    def __init__(self, db: Database, broker: Broker, ear: Waiter) -> None:
        """``ear`` is woken when something is due."""
        self._db = db
        self._broker = broker
        self._ear = ear
        self._insisting = Together(db, INSIST, TOGETHER)
        self._next: asyncio.TimerHandle | None = None

    async def run_once(self) -> bool:
        """Everything that is due, as far as it goes at once; True when there may be more."""
        due = await self._db.hot.fetch("SELECT project_id, env, ids FROM tocsin.due_insistences($1)", MOST_AT_ONCE)
        if due:
            crash.here("insist.after_due")
        portions = [
            (project_id, env, ids[start : start + MOST_EACH])
            for project_id, env, ids in due
            for start in range(0, len(ids), MOST_EACH)
        ]
        acted = await asyncio.gather(*[self._insist_safely(*portion) for portion in portions])
        done = [count for count in acted if count is not None]
        if any(done):
            self._broker.wake("deliveries")
        if len(done) < len(acted):
            return False  # what fails stays due; the pulse says so once a second
        if sum(done) >= MOST_AT_ONCE // 2:
            return True
        await self._come_back()
        return False

    async def _come_back(self) -> None:
        """Look again when the next is due, if that is before the pulse would say so."""
        if self._next is not None:
            self._next.cancel()
        seconds: float | None = await self._db.hot.fetchval("SELECT tocsin.insists_in()")
        if seconds is not None and seconds < SOON_SECONDS:
            self._next = asyncio.get_running_loop().call_later(max(seconds, REST_SECONDS), self._ear.wake)

    async def _insist_safely(self, project_id: UUID, env: Env, ids: list[UUID]) -> int | None:
        """How many it insisted on, None where something failed: that stays due, and holds up nothing else."""
        crash.soon("insist.under_way")
        try:
            (row,) = await self._insisting.call(project_id, env, uuids(ids), weight=len(ids))
        except Exception as error:
            if is_away(error):
                raise
            if len(ids) > 1:
                for id_ in ids:
                    await self._insist_safely(project_id, env, [id_])
            else:
                log.exception("not insisted", project=str(project_id), notification=str(ids[0]))
            return None
        crash.here("insist.after_commit")
        for message in signals("repeated", row[1]):
            self._broker.publish(channel_of(project_id, env), message)
        return len(row[1])
