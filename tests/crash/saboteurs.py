"""Bugs that lose, double or strand something, planted into processes of a test by running before the product does.

Each is what a hasty change could bring back; the checker is worth something because it turns red over every one.
"""

from dataclasses import dataclass

NO_SWEEP = """
from tocsin.deliveries.clock import ClockStage
async def look_away(self):
    return False
ClockStage.run_once = look_away
"""

ACKNOWLEDGED_BEFORE_COMMITTED = """
import asyncio
from tocsin.events.store import EventStore, Stored
honest = EventStore.store
async def later(self, events):
    await asyncio.sleep(0.2)
    await honest(self, events)
async def hasty(self, events):
    asyncio.create_task(later(self, events))
    return [Stored(event.id, "accepted") for event in events]
EventStore.store = hasty
"""

PROCESSED_BEFORE_WRITTEN = """
import asyncio
from tocsin.rules import stage
honest = stage._finish
async def hasty(connection, project_id, token, decided):
    kept = await honest(connection, project_id, token, decided)
    env = await connection.fetchval("SELECT current_setting('tocsin.env')")
    await connection.execute("COMMIT")
    await asyncio.sleep(0.3)
    await connection.execute("BEGIN")
    await connection.execute(
        "SELECT set_config('tocsin.project', $1, true), set_config('tocsin.env', $2, true)", str(project_id), env)
    return kept
stage._finish = hasty
"""

RECORDED_BEFORE_SENT = """
import asyncio
from datetime import UTC, datetime
from tocsin.deliveries import send
honest = send.SendStage._send
async def hasty(self, batch, outgoing, route):
    result = send.Result(
        outgoing.id, outgoing.attempt, "delivered", "ok", outgoing.rank, started_at=datetime.now(UTC))
    async with self._db.unit(batch.project_id, batch.env) as connection:
        await send.record(connection, batch.project_id, batch.env, batch.token, [result])
    await asyncio.sleep(0.3)
    return await honest(self, batch, outgoing, route)
send.SendStage._send = hasty
"""

LEASES_IGNORED = """
import asyncpg
honest = asyncpg.Connection.fetch
def fetch(self, query, *arguments, **options):
    query = query.replace("AND e.lease_token = $5 RETURNING", "AND $5::uuid IS NOT NULL RETURNING")
    query = query.replace("AND d.lease_token = $2\\nRETURNING", "AND $2::uuid IS NOT NULL RETURNING")
    return honest(self, query, *arguments, **options)
asyncpg.Connection.fetch = fetch
"""


@dataclass(frozen=True)
class Saboteur:
    """A bug, whose process it sits in, and the faults that bring it to light."""

    name: str
    role: str
    prologue: str
    faults: tuple[str, ...]


UNDER_FIRE = (
    Saboteur("no sweep", "worker", NO_SWEEP, ("kill worker",)),
    Saboteur("acknowledged before committed", "api", ACKNOWLEDGED_BEFORE_COMMITTED, ("kill api", "kill postgres")),
    Saboteur("processed before written", "worker", PROCESSED_BEFORE_WRITTEN, ("kill worker",)),
    Saboteur("recorded before sent", "worker", RECORDED_BEFORE_SENT, ("kill worker",)),
)
"""Found by kills at random moments. ``LEASES_IGNORED`` needs a precise moment: see ``zombie``."""
