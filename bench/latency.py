"""From an event to the ``pusher-js`` client of a person, at a quiet rate and at a busier one.

The floor is a bare relay: the same driver and client with one process between them that stores nothing.
"""

import asyncio
from typing import NamedTuple

from bench.arranged import add_rule
from bench.arrivals import Arrival, curve, fault, latencies
from bench.bare_relay import Relay, bare_relay
from bench.listener import listening, of_owner
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


PARTS = (0.5, 0.99)
PACES = (Pace(200, 15.0, 60.0), Pace(500, 6.0, 25.0))


async def measure(run: Run) -> list[Line]:
    """Each event once from the schedule to the client; what is accepted must arrive exactly once."""
    run.tell("starting")
    async with installed(worker=True, broker=run.broker) as site, bare_relay() as relay:
        await add_rule(site.project, "realtime")
        return [line for pace in PACES for line in await _beside(run, site, relay, pace)]


async def _beside(run: Run, site: Installed, relay: Relay, pace: Pace) -> list[Line]:
    """The product, and right after it the relay."""
    lines = await _measured(run, site, pace)
    run.tell(f"{pace.per_second} events a second through a bare relay")
    schedule = Schedule(relay.url, [{}], pace.per_second, pace.per_second * _seconds(run))
    sent, arrived = await driven(relay.listener, schedule)
    floor = latencies(schedule, sent, arrived) or [0.0]
    void = fault(sent, arrived)
    return [*lines, *(_over_floor(line, part_of(floor, part), void) for line, part in zip(lines, PARTS, strict=False))]


def _over_floor(line: Line, floor: float, void: str | None) -> Line:
    what = line.what.replace(", ", " / through a bare relay, ", 1)
    return Line(what, line.measured, "ms", floor, void=void or line.void)


def _seconds(run: Run) -> int:
    return QUICK_SECONDS if run.quick else SECONDS


async def _measured(run: Run, site: Installed, pace: Pace) -> list[Line]:
    seconds = _seconds(run)
    schedule = Schedule(f"{site.api.url}/api/v1/events", [site.project.key.headers], pace.per_second, pace.per_second)
    await driven(of_owner(site), schedule)
    await site.drained()
    await site.tidy()
    run.tell(f"{pace.per_second} events a second, {seconds} s")
    schedule.count = pace.per_second * seconds
    before = cpu_seconds(site.pids)
    sent, arrived = await driven(of_owner(site), schedule)
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
        Line(f"{what}, median", part_of(taken, PARTS[0]), "ms", None, pace.median, "most", void, details),
        Line(f"{what}, 99 of 100", part_of(taken, PARTS[1]), "ms", None, pace.p99, "most", void),
    ]


async def driven(told: dict[str, object], schedule: Schedule) -> tuple[Sent, list[Arrival]]:
    """A client that listens to a schedule's end."""
    async with listening(told) as listener:
        sent = await send(schedule)
        await asyncio.sleep(SETTLE_SECONDS)
        return sent, await listener.arrived()
