"""What it costs the recording of deliveries that webhook endpoints may listen, in a project without any and with one.

The same results are recorded by the function that records alone and by the one around it, in turn, over deliveries
that are put back to where they were in between. One connection, batches of ``BATCH``, as a worker records them.
"""

import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

from bench.results import Line, middle
from bench.run import Run
from bench.running import Installed, installed
from tocsin.deliveries.record import Result
from tocsin.kit.db import Database, json_text
from tocsin.kit.ids import new_id

BATCH = 32
BATCHES, QUICK_BATCHES = 60, 15
ROUNDS = 7
MOST_PERCENT = 10.0
"""More for a project without endpoints."""

ALONE, TOLD = "record_results", "record_and_tell"

_OWE = """
INSERT INTO tocsin.deliveries (project_id, env, id, channel, rank, state, ready, lease_token)
SELECT $1, 'live', id, 'webhook', 2, 'leased', true, $3 FROM unnest($2::uuid[]) AS id
"""
_AGAIN = """
UPDATE tocsin.deliveries SET state = 'leased', lease_token = $2, attempts = 0 WHERE project_id = $1
"""


async def measure(run: Run) -> list[Line]:
    """Per cent that recording takes longer. About a minute; quick, 20 seconds."""
    async with installed(worker=False) as place:
        app = Database(place.site.app_url, ordinary=0, hot=1, statement_seconds=30)
        await app.start()
        try:
            batches = QUICK_BATCHES if run.quick else BATCHES
            run.tell("without endpoints")
            without = await _compared(place, app, "recording in a project without endpoints", batches)
            body = {"url": "https://1.1.1.1/", "eventTypes": ["notification.delivered"]}
            made = await place.project.owner.post("/webhook-endpoints", body)
            assert made.status == 201, made.json
            run.tell("with an endpoint")
            listened = await _compared(place, app, "recording where an endpoint hears of each", batches, bar=None)
            return [without, listened]
        finally:
            await app.close()


async def _compared(place: Installed, app: Database, name: str, batches: int, bar: float | None = MOST_PERCENT) -> Line:
    """The middle of the rounds, of which each takes both in turn."""
    token = uuid4()
    ids = [[new_id() for _ in range(BATCH)] for _ in range(batches)]
    await place.superuser.execute("DELETE FROM tocsin.deliveries WHERE project_id = $1", place.project_id)
    await place.superuser.execute(_OWE, place.project_id, [id_ for batch in ids for id_ in batch], token)
    more, alone = [], []
    for number in range(ROUNDS):
        order = (ALONE, TOLD) if number % 2 else (TOLD, ALONE)
        took = {function: await _recorded(place, app, function, ids, token) for function in order}
        more.append((took[TOLD] / took[ALONE] - 1) * 100)
        alone.append(took[ALONE] / batches / BATCH * 1e6)
    details = {"µs a delivery by itself": middle(alone)}
    return Line(name, middle(more), "% more", bar=bar, bar_is="most", details=details)


async def _recorded(place: Installed, app: Database, function: str, ids: list[list[UUID]], token: UUID) -> float:
    """Seconds to record all batches."""
    await place.superuser.execute(_AGAIN, place.project_id, token)
    await place.superuser.execute("DELETE FROM tocsin.attempts WHERE project_id = $1", place.project_id)
    await place.superuser.execute("VACUUM ANALYZE tocsin.deliveries")
    texts = [json_text([_result(id_) for id_ in batch]) for batch in ids]
    began = time.perf_counter()
    for text in texts:
        await app.hot.execute(
            f"SELECT tocsin.{function}($1, 'live', $2, $3, '{{}}')",
            place.project_id,
            token,
            text,
        )
    return time.perf_counter() - began


def _result(delivery_id: UUID) -> Result:
    return Result(
        delivery_id, 1, "delivered", "ok", 2, status=200, started_at=datetime.now(UTC), duration_ms=1, answer="noted"
    )
