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
from tocsin.notifications.write import write_notifications
from tocsin.rules import stage
honest = stage._write_matched
async def hasty(writing, project_id, env, token, decided, made, handed):
    connection = writing._connection
    ours = await honest(writing, project_id, env, token, decided, [], handed)
    await connection.execute("COMMIT")
    await asyncio.sleep(0.3)
    await connection.execute("BEGIN")
    await connection.execute(
        "SELECT set_config('tocsin.project', $1, true), set_config('tocsin.env', $2, true)", str(project_id), env)
    await write_notifications(connection, project_id, env, [n for n in made if n.event_id in ours])
    return ours
stage._write_matched = hasty
stage.may_be_limited = lambda *_: True  # then the connection is in a transaction that can be cut in two
"""

RECORDED_BEFORE_SENT = """
import asyncio
from datetime import UTC, datetime
from tocsin.deliveries import send
honest = send.SendStage._send
async def hasty(self, batch, outgoing, route):
    result = send.Result(
        outgoing.id, outgoing.attempt, "delivered", "ok", outgoing.rank, started_at=datetime.now(UTC))
    await send.record(self._recorded, batch.project_id, batch.env, batch.token, [result])
    await asyncio.sleep(0.3)
    return await honest(self, batch, outgoing, route)
send.SendStage._send = hasty
"""

LEASES_IGNORED = """
from tocsin.deliveries import send
from tocsin.kit.together import Alone
from tocsin.rules import stage
written, recorded = stage._write_matched, send.record
async def write(writing, project_id, env, token, decided, made, handed):
    await writing._connection.execute(
        "UPDATE tocsin.events SET lease_token = $1 WHERE id = ANY($2)", token, [each.event.id for each in decided])
    return await written(writing, project_id, env, token, decided, made, handed)
async def record(recording, project_id, env, token, results, untouched):
    async with recording._db.hot.acquire() as connection, connection.transaction():
        await connection.execute(
            "SELECT set_config('tocsin.project', $1, true), set_config('tocsin.env', $2, true)", str(project_id), env)
        await connection.execute(
            "UPDATE tocsin.deliveries SET lease_token = $1 WHERE id = ANY($2)",
            token, [each.delivery_id for each in results])
        alone = Alone(connection, send.RECORD_RESULTS)
        await recorded(alone, project_id, env, token, results, untouched)
stage._write_matched, send.record = write, record
stage._HOLD = stage._HOLD.replace("AND lease_token = $3", "AND $3::uuid IS NOT NULL")
stage.may_be_limited = lambda *_: True  # then the connection is in a transaction of the project
"""

STAGE_DIES_OF_AN_EXCEPTION = """
from tocsin import worker
async def frail(stage, stop):
    while not stop.is_set():
        if not await stage.look():
            await stage.ear.wait(stage.seconds)
worker._run = frail
"""

# The row is stored in one transaction and put into the queue by a second one.
WRITTEN_TWICE_OVER = """
import asyncio
from uuid import UUID
from tocsin.events.store import EventStore
honest = EventStore._insert
async def move(self, events, old, new):
    for project_id in {event.project_id for event in events}:
        async with self._db.unit(UUID(project_id), "live") as connection:
            await connection.execute(
                "UPDATE tocsin.events SET state = $3, lease_token = CASE $3 WHEN 'leased' THEN gen_random_uuid() END,"
                " lease_until = CASE $3 WHEN 'leased' THEN 'infinity'::timestamptz END"
                " WHERE project_id = $1 AND id = ANY($4::uuid[]) AND state = $2",
                UUID(project_id), old, new, [UUID(event.id) for event in events])
async def dual(self, events):
    stored = await honest(self, events)
    await move(self, events, "received", "leased")
    await asyncio.sleep(0.2)
    await move(self, events, "leased", "received")
    return stored
EventStore._insert = dual
"""

KEY_KEPT_AFTER_ITS_EFFECT = """
import asyncio
from tocsin.auth import guard
async def end(self, response):
    if self._call is None:
        return
    if response.status_code >= 400:
        await self._call.session.rollback()
    elif self._kept_once:
        await self._call.session.commit()
        await asyncio.sleep(1.0)
        async with self.transaction() as call:
            await guard._once(call).keep(response)
guard.Admission.end = end
"""

# What was done is counted in a transaction of its own, after it.
REPEATED_BEFORE_COUNTED = """
import asyncio
from tocsin.notifications import insist
honest = insist.InsistStage._insist
async def hasty(self, project_id, env, ids):
    done = await honest(self, project_id, env, ids)
    async with self._db.unit(project_id, env) as connection:
        await connection.execute(
            "UPDATE tocsin.insistences SET times = times - 1, due_at = now(), repeats_at = now()"
            " WHERE notification_id = ANY($1)", ids)
    await asyncio.sleep(0.3)
    async with self._db.unit(project_id, env) as connection:
        await connection.execute(
            "UPDATE tocsin.insistences SET times = times + 1, due_at = now() + interval '1 second',"
            " repeats_at = now() + interval '1 second' WHERE notification_id = ANY($1)", ids)
    return done
insist.InsistStage._insist = hasty
"""

RESULTS_FORGOTTEN_WITH_THE_LEASE = """
from tocsin.deliveries import send
send.RECORD_FOR_SECONDS = 0.0
"""

CRASHES_NOT_COUNTED = """
from tocsin.deliveries import clock
clock.MOST_CLAIMS = 1_000
"""

NO_CAP_IN_FLIGHT = """
from tocsin.deliveries import send
send.PROJECT_SHARE = 1
send.PER_CONNECTION = 1_000
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
    Saboteur("a stage dies of an exception", "worker", STAGE_DIES_OF_AN_EXCEPTION, ("kill postgres",)),
    Saboteur("row and queue written one after the other", "api", WRITTEN_TWICE_OVER, ("kill api",)),
    Saboteur("repeated before counted", "worker", REPEATED_BEFORE_COUNTED, ("kill worker",)),
    Saboteur("a key kept after its effect", "api", KEY_KEPT_AFTER_ITS_EFFECT, ("kill api",)),
)
"""Found by kills at random moments. The others need a precise scene, named in ``SCENES``."""
