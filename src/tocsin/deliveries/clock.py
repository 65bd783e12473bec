"""What falls due and what was left behind: retries whose time has come, what was held until now, leases that ran out.

What was held is released in transactions of its projects, where preferences and rules are looked at once more (R4).
Whoever ends before the commit has released nothing, and whoever finds a row locked leaves it to the other.
"""

from uuid import UUID

import structlog

from tocsin.kit import crash
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env
from tocsin.kit.due import act_on
from tocsin.kit.together import Together, uuids

MOST_AT_ONCE = 2_000
MOST_CLAIMS = 3
"""After this many processes ended over one event, it is set aside (a crash counter rises at each claim)."""
MOST_CRASHES = 5
"""The same for a delivery. It is never alone in its process, so an event that ends three must not cost it too."""

MOST_EACH = 500
"""Deliveries of a project that are released in one transaction."""
TOGETHER = 500

RELEASE = """
SELECT c.number, tocsin.release_held(c.project, c.env, c.ids::uuid[])
FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS c (project, env, ids, number)
"""

log = structlog.get_logger(__name__)


class ClockStage:
    """Looks at due times and leases; as many as like may run, rows are taken one by one."""

    def __init__(self, db: Database, broker: Broker) -> None:
        self._db = db
        self._broker = broker
        self._releasing = Together(db, RELEASE, TOGETHER)

    async def run_once(self) -> bool:
        """Make due rows claimable; True when there may be more of them."""
        due = await self._db.hot.fetchval("SELECT tocsin.ready_due_deliveries($1)", MOST_AT_ONCE)
        crash.here("clock.after_due")
        held = await self._release_held()
        if due or held:
            self._broker.wake("deliveries")
        freed = {
            row["kind"]: row["rows"]
            for row in await self._db.hot.fetch(
                "SELECT kind, rows FROM tocsin.release_expired($1, $2, $3)", MOST_AT_ONCE, MOST_CLAIMS, MOST_CRASHES
            )
        }
        crash.here("clock.after_release")
        for kind, count in freed.items():
            if count:
                log.warning("leases ran out", kind=kind, rows=count)
                self._broker.wake(kind)
        return MOST_AT_ONCE in (due, held, *freed.values())

    async def _release_held(self) -> int:
        """Look again at what is held until now; how much was."""
        due = await self._db.hot.fetch("SELECT project_id, env, ids FROM tocsin.due_held($1)", MOST_AT_ONCE)
        done = await act_on(due, MOST_EACH, self._release)
        crash.here("clock.after_held")
        return 0 if done.failed else done.due

    async def _release(self, project_id: UUID, env: Env, ids: list[UUID]) -> int:
        await self._releasing.call(project_id, env, uuids(ids), weight=len(ids))
        return len(ids)
