"""A hundred thousand retries that fall due in the same second, and whether fresh alerts of another project wait."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from bench.far_end import FarEnd, far_end
from bench.ledger import fault_of_arrivals
from bench.population import RETRY, owe
from bench.processes import cpu_seconds, spent
from bench.results import Line
from bench.run import Run
from bench.running import Installed, installed
from bench.streams import Kept, Timetable, keep
from bench.tenants import settle_in, steady
from bench.waits import held
from tests.client import Project

OWED, QUICK_OWED = 100_000, 3_000
PER_SECOND = 20
BEFORE_SECONDS, QUICK_BEFORE_SECONDS = 10, 4
BESIDE_SECONDS, QUICK_BESIDE_SECONDS = 20, 4
MOST_SECONDS = 240.0


async def measure(run: Run) -> list[Line]:
    """Seconds until all are sent, and the p99 of the fresh ones before and meanwhile."""
    run.tell("starting")
    async with installed(worker=True, broker=run.broker) as place, far_end() as far:
        owed = QUICK_OWED if run.quick else OWED
        before, beside = QUICK_BEFORE_SECONDS, QUICK_BESIDE_SECONDS
        return await measured(
            place, run, far, owed, *((before, beside) if run.quick else (BEFORE_SECONDS, BESIDE_SECONDS))
        )


async def measured(place: Installed, run: Run, far: FarEnd, owed: int, before: int, beside: int) -> list[Line]:
    """The same in an installation with a worker, which is left with two more projects."""
    quiet, owing = [await settle_in(place, name, far.url) for name in ("Fresh", "Owing")]
    await _fresh(place, quiet, 1)
    await far.arrived()
    run.tell(f"fresh alone, {before} s")
    alone = await _fresh(place, quiet, before)
    arrived = await far.arrived()
    run.tell(f"writing {owed:,} retries")
    titles = [f"owed {number}" for number in range(owed)]
    due_at = datetime.now(UTC) + timedelta(seconds=3 + owed / 20_000)
    await owe(place, owing, titles, due_at, rank=RETRY, attempts=1)
    await place.tidy()
    await asyncio.sleep(max(0.0, due_at.timestamp() - time.time()))
    costs, began = cpu_seconds(place.pids), due_at.timestamp()
    run.tell(f"fresh beside {owed:,} retries, {beside} s")
    meanwhile = await _fresh(place, quiet, beside)
    run.tell("until all are sent")
    await _sent(place, owing, owed)
    spent_on = spent(costs, cpu_seconds(place.pids))
    arrived += await far.arrived()
    fault = fault_of_arrivals(set(titles) | set(alone.due) | set(meanwhile.due), (mark for mark, _ in arrived))
    times = dict(arrived)
    last = max((times[title] for title in titles if title in times), default=began)
    return [
        _rate(owed, last - began, spent_on, fault),
        held("fresh events beside them", alone, meanwhile, times, fault),
    ]


def _rate(owed: int, seconds: float, spent_on: dict[str, float], fault: str | None) -> Line:
    details = {"a second": owed / seconds} if seconds > 0 else {}
    costs = {f"CPU µs each, {part}": used / owed * 1e6 for part, used in spent_on.items()}
    return Line(f"{owed:,} retries due at once, all sent", seconds, "s", void=fault, details={**details, **costs})


async def _fresh(place: Installed, project: Project, seconds: int) -> Kept:
    """Events of a project, each of which is a webhook; returned a while after the last one."""
    name = f"fresh{time.monotonic_ns()}"
    kept = await keep(Timetable(f"{place.api.url}/api/v1", steady(name, [project], PER_SECOND, seconds)))
    await asyncio.sleep(1)
    return kept


async def _sent(place: Installed, project: Project, owed: int) -> None:
    query = "SELECT count(*) FROM tocsin.deliveries WHERE project_id = $1::text::uuid AND state = 'delivered'"
    async with asyncio.timeout(MOST_SECONDS):
        while await place.superuser.fetchval(query, project.id) < owed:
            await asyncio.sleep(1)
