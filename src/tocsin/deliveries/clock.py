"""What falls due and what was left behind: retries whose time has come, leases that ran out."""

import structlog

from tocsin.kit import crash
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database

MOST_AT_ONCE = 2_000
MOST_CLAIMS = 3
"""After this many processes ended over one event, it is set aside (a crash counter rises at each claim)."""
MOST_CRASHES = 5
"""The same for a delivery. It is never alone in its process, so an event that ends three must not cost it too."""

log = structlog.get_logger(__name__)


class ClockStage:
    """Looks at due times and leases; as many as like may run, rows are taken one by one."""

    def __init__(self, db: Database, broker: Broker) -> None:
        self._db = db
        self._broker = broker

    async def run_once(self) -> bool:
        """Make due rows claimable; True when there may be more of them."""
        due = await self._db.hot.fetchval("SELECT tocsin.ready_due_deliveries($1)", MOST_AT_ONCE)
        crash.here("clock.after_due")
        if due:
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
        return MOST_AT_ONCE in (due, *freed.values())
