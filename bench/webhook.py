"""Events to the calls of a webhook, end to end: the rate that is sustained, and how long it takes at half of it.

One project, one rule, one connection. Events go out on a schedule in small batches, so that the driver takes little
of the cores it shares. A flood first tells what the way can carry with a backlog; then less and less is offered until
nothing is left behind: the last call within a second of the time at which the last event was due.
"""

from dataclasses import dataclass

from bench.arranged import add_rule, add_webhook
from bench.arrivals import Arrival, curve, fault, latencies
from bench.far_end import FarEnd, far_end
from bench.processes import cpu_seconds, spent
from bench.results import Line, part_of
from bench.run import Run
from bench.running import Installed, installed
from bench.sender import Schedule, Sent, send
from bench.steps import steps

PER_SECOND = 1_500
FLOOD, FLOOD_PART = 2.0, 0.5
"""The flood offers so many times the bar, for a part of the time: what it leaves behind has to drain."""
BATCH = 10
SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5)
"""Of what the flood reached, offered in turn until it is sustained."""
LATE_SECONDS = 1.0
DRAIN_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Driven:
    """One schedule and what became of it. Processor seconds are by part."""

    schedule: Schedule
    sent: Sent
    arrived: list[Arrival]
    cpu_seconds: dict[str, float]

    @property
    def void(self) -> str | None:
        return fault(self.sent, self.arrived) or (None if self.arrived else "nothing arrived")

    @property
    def last_second(self) -> float:
        """Of the last arrival, counted from the first event's time."""
        return max(arrival.at for arrival in self.arrived) / 1000 - self.sent.began

    @property
    def per_second(self) -> float:
        """From the first event that was due to the last call."""
        return len(self.arrived) / self.last_second

    @property
    def sustained(self) -> bool:
        """Whether nothing was refused and no backlog was left behind."""
        return not self.sent.faults and self.last_second <= self.schedule.due(self.schedule.count - 1) + LATE_SECONDS


async def measure(run: Run) -> list[Line]:
    """The highest rate sustained, and latencies at half of that."""
    run.tell("starting")
    async with installed(worker=True, broker=run.broker) as site, far_end() as far:
        await add_webhook(site.project, far.url)
        await add_rule(site.project, "webhook")
        await drive(site, far, 100, seconds=2, size=1)
        flood = await _offered(run, site, far, PER_SECOND * FLOOD, run.seconds * FLOOD_PART, BATCH)
        if flood.void:
            return [Line("sustained", 0, "/s", bar=PER_SECOND, void=flood.void)]
        tried = []
        for share in SHARES:
            tried.append(await _offered(run, site, far, flood.per_second * share, run.seconds, BATCH))
            if tried[-1].void or tried[-1].sustained:
                break
        half = await _offered(run, site, far, tried[-1].per_second / 2, run.seconds, 1)
        return [_pace(flood, tried), *_latencies(half, await steps(site, half.sent.began))]


async def _offered(run: Run, site: Installed, far: FarEnd, per_second: float, seconds: float, size: int) -> Driven:
    run.tell(f"{per_second:,.0f} events a second, {seconds:g} s")
    return await drive(site, far, per_second, seconds, size)


async def drive(site: Installed, far: FarEnd, per_second: float, seconds: float, size: int) -> Driven:
    """Send for some seconds, then wait until everything has arrived or too much time has passed."""
    await site.tidy()
    await far.arrived()
    url, callers = f"{site.api.url}/api/v1/events", [site.project.key.headers]
    schedule = Schedule(url, callers, per_second, int(per_second * seconds), size)
    pids = {**site.pids, "far end": far.pid}
    before = cpu_seconds(pids)
    sent = await send(schedule)
    await far.called(len(sent.accepted), DRAIN_SECONDS)
    await site.settled()
    return Driven(schedule, sent, await far.arrivals(), spent(before, cpu_seconds(pids)))


def _pace(flood: Driven, tried: list[Driven]) -> Line:
    last = tried[-1]
    void = last.void or (None if last.sustained else "no rate that was offered was sustained")
    details = {
        "offered": last.schedule.per_second,
        "in a flood": flood.per_second,
        **{f"µs {name}": used / len(last.arrived) * 1e6 for name, used in last.cpu_seconds.items()},
        "accepted": len(last.sent.accepted),
        "arrived": len(last.arrived),
        "faults": len(last.sent.faults),
        "not sustained": [each.schedule.per_second for each in tried[:-1]],
    }
    return Line("sustained", last.per_second, "/s", bar=PER_SECOND, void=void, details=details)


def _latencies(half: Driven, between: dict[str, float]) -> list[Line]:
    if half.void:
        return [Line("event to call, at half of that", 0, "ms", void=half.void)]
    taken = latencies(half.schedule, half.sent, half.arrived)
    details = {
        "p90": part_of(taken, 0.90),
        "max": taken[-1],
        "answered p50": part_of(sorted(half.sent.answered), 0.50),
        **between,
        "offered": half.schedule.per_second,
        "curve": curve(f"event to webhook, {half.schedule.per_second:,.0f}/s", taken),
    }
    return [
        Line("event to call, at half of that, median", part_of(taken, 0.5), "ms", details=details),
        Line("event to call, at half of that, 99 of 100", part_of(taken, 0.99), "ms"),
    ]
