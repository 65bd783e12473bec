"""A stage of the worker: what nobody has acknowledged comes again, and reaches further people (R3).

What is due is read, and acted upon in a transaction of its project's: deliveries, recipients and the next time, or
nothing. Any number of workers may run; a notification is in one hand at a time. Times are the database's.
"""

import asyncio
from uuid import UUID

import structlog

from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env
from tocsin.kit.problems import is_away
from tocsin.kit.together import Together, uuids
from tocsin.realtime.signal import channel_of, signals

MOST_AT_ONCE = 2_000
MOST_EACH = 200
"""Notifications of a project in one transaction."""
TOGETHER = 400

INSIST = """
SELECT c.number, tocsin.insist(c.project, c.env, c.ids::uuid[])
FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS c (project, env, ids, number)
"""

log = structlog.get_logger(__name__)


class InsistStage:
    def __init__(self, db: Database, broker: Broker) -> None:
        self._db = db
        self._broker = broker
        self._insisting = Together(db, INSIST, TOGETHER)

    async def run_once(self) -> bool:
        """Everything that is due, as far as it goes at once; True when there may be more."""
        due = await self._db.hot.fetch("SELECT project_id, env, ids FROM tocsin.due_insistences($1)", MOST_AT_ONCE)
        portions = [
            (project_id, env, ids[start : start + MOST_EACH])
            for project_id, env, ids in due
            for start in range(0, len(ids), MOST_EACH)
        ]
        acted = await asyncio.gather(*[self._insist_safely(*portion) for portion in portions])
        if any(acted):
            self._broker.wake("deliveries")
        return sum(acted) >= MOST_AT_ONCE // 2

    async def _insist_safely(self, project_id: UUID, env: Env, ids: list[UUID]) -> int:
        """How many it insisted on. What fails for one project holds up no other, and is due the next time."""
        try:
            (row,) = await self._insisting.call(project_id, env, uuids(ids), weight=len(ids))
        except Exception as error:
            if is_away(error):
                raise
            log.exception("not insisted", project=str(project_id), notifications=len(ids))
            return 0
        for message in signals("repeated", row[1]):
            self._broker.publish(channel_of(project_id, env), message)
        return len(row[1])
