"""Once a second: which stages have something to do that no hint told them of? One question for all of them.

A hint may be lost, and time alone makes retries due and leases run out. Asked stage by stage, an idle worker spent
half of its time on finding nothing.
"""

from collections.abc import Mapping

from tocsin.kit.broker import Waiter
from tocsin.kit.db import Database

EVERY_SECONDS = 1.0


class Pulse:
    """Wakes stages; ``ears`` has those that the database knows by their names."""

    def __init__(self, db: Database, ears: Mapping[str, Waiter]) -> None:
        self._db = db
        self._ears = ears

    async def run_once(self) -> bool:
        """One look; it never wants to look again at once."""
        for name in await self._db.hot.fetchval(WAITING):
            if name in self._ears:  # the database may be of a later version
                self._ears[name].wake()
        return False


WAITING = "SELECT tocsin.waiting_stages() || tocsin.more_waiting_stages()"
