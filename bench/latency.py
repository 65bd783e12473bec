"""From an event to the ``pusher-js`` client of a person, at a quiet rate and at a busier one."""

import asyncio
from typing import NamedTuple

from bench.arranged import add_rule
from bench.arrivals import Arrival, curve, fault, latencies
from bench.listener import listening
from bench.processes import cpu_seconds, spent
from bench.results import Line, part_of
from bench.run import Run
from bench.running import Installed, installed
from bench.sender import Schedule, Sent, send
from bench.steps import steps

SECONDS, QUICK_SECONDS = 20, 5
SETTLE_SECONDS = 3.0
"""After the last answer, for what may still be on its way: what takes longer counts as lost."""


class Pace(NamedTuple):
    """Events a second, and the milliseconds that half of them and 99 of 100 may take."""

    per_second: int
    median: float
    p99: float


PACES = (Pace(200, 15.0, 60.0), Pace(500, 6.0, 25.0))


async def measure(run: Run) -> list[Line]:
    """Each event once from the schedule to the client; what is accepted must arrive exactly once."""
    run.tell("starting")
    async with installed(worker=True, broker=run.broker) as site:
        await add_rule(site.project, "realtime")
        return [line for pace in PACES for line in await _measured(run, site, pace)]


async def _measured(run: Run, site: Installed, pace: Pace) -> list[Line]:
    seconds = QUICK_SECONDS if run.quick else SECONDS
    schedule = Schedule(f"{site.api.url}/api/v1/events", [site.project.key.headers], pace.per_second, pace.per_second)
    await driven(site, schedule)
    await site.drained()
    await site.tidy()
    run.tell(f"{pace.per_second} events a second, {seconds} s")
    schedule.count = pace.per_second * seconds
    before = cpu_seconds(site.pids)
    sent, arrived = await driven(site, schedule)
    costs = spent(before, cpu_seconds(site.pids))
    void = fault(sent, arrived)
    what = f"event to pusher-js, {pace.per_second}/s"
    if not arrived:
        return [Line(what, 0, "ms", void=void or "nothing was accepted")]
    taken = latencies(schedule, sent, arrived)
    answered = sorted(sent.answered)
    details = {
        "p90": part_of(taken, 0.90),
        "max": taken[-1],
        "answered p50": part_of(answered, 0.50),
        "answered p99": part_of(answered, 0.99),
        **await steps(site, sent.began),
        "accepted": len(sent.accepted),
        "arrived": len(arrived),
        "faults": len(sent.faults),
        **{f"% of a core, {name}": used / seconds * 100 for name, used in costs.items()},
        "curve": curve(what, taken),
    }
    return [
        Line(f"{what}, median", part_of(taken, 0.5), "ms", None, pace.median, "most", void, details),
        Line(f"{what}, 99 of 100", part_of(taken, 0.99), "ms", None, pace.p99, "most", void),
    ]


async def driven(site: Installed, schedule: Schedule) -> tuple[Sent, list[Arrival]]:
    """A client that listens to a schedule's end."""
    async with listening(site) as listener:
        sent = await send(schedule)
        await asyncio.sleep(SETTLE_SECONDS)
        return sent, await listener.arrived()
