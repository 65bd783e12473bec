"""From an event to the ``pusher-js`` client of a person, at 200 events a second."""

import asyncio
from collections import Counter

from bench.events import TYPE
from bench.listener import listening
from bench.processes import cpu_seconds, spent
from bench.results import Line, part_of
from bench.run import Run
from bench.running import Installed, installed
from bench.sender import Schedule, Sent, send

PER_SECOND = 200
SECONDS, QUICK_SECONDS = 20, 5
MEDIAN_BAR, P99_BAR = 15.0, 60.0
SETTLE_SECONDS = 3.0
"""After the last answer, for what may still be on its way: what takes longer counts as lost."""


async def measure(run: Run) -> list[Line]:
    """Each event once from the schedule to the client; what is accepted must arrive exactly once."""
    seconds = QUICK_SECONDS if run.quick else SECONDS
    run.tell("starting")
    async with installed(worker=True) as site:
        await _tell_the_owner(site)
        await _driven(site, PER_SECOND)
        await site.drained()
        await site.tidy()
        run.tell(f"{PER_SECOND} events a second, {seconds} s")
        before = cpu_seconds(site.pids)
        sent, arrived = await _driven(site, PER_SECOND * seconds)
        costs = spent(before, cpu_seconds(site.pids))
    latencies = sorted(at - (sent.began * 1000 + int(title) / PER_SECOND * 1000) for title, at in arrived)
    void = _fault(sent, arrived)
    details = {
        "p90": part_of(latencies, 0.90),
        "max": latencies[-1],
        "answered p50": part_of(sorted(sent.answered), 0.50),
        "answered p99": part_of(sorted(sent.answered), 0.99),
        "accepted": len(sent.accepted),
        "arrived": len(arrived),
        "faults": len(sent.faults),
        **{f"% of a core, {part}": used / seconds * 100 for part, used in costs.items()},
    }
    return [
        Line("event to pusher-js, median", part_of(latencies, 0.5), "ms", None, MEDIAN_BAR, "most", void, details),
        Line("event to pusher-js, 99 of 100", part_of(latencies, 0.99), "ms", None, P99_BAR, "most", void),
    ]


async def _tell_the_owner(site: Installed) -> None:
    """A rule with a condition and a template, as people write them."""
    rule = {
        "name": "Large orders",
        "eventTypes": [TYPE],
        "condition": "payload.amount > 1000.0",
        "targetRoles": ["owner"],
        "channels": ["realtime"],
        "title": "{{ payload.number }}",
        "message": "{{ payload.customer.name }} ordered for {{ payload.amount }} {{ payload.currency }}",
    }
    made = await site.project.key.post("/rules", rule)
    if made.status != 201:
        raise RuntimeError(f"the rule was refused: {made.json}")


async def _driven(site: Installed, count: int) -> tuple[Sent, list[tuple[str, float]]]:
    async with listening(site) as listener:
        schedule = Schedule(f"{site.api.url}/api/v1/events", site.project.key.headers, PER_SECOND, count)
        sent = await send(schedule)
        await asyncio.sleep(SETTLE_SECONDS)
        return sent, await listener.arrived()


def _fault(sent: Sent, arrived: list[tuple[str, float]]) -> str | None:
    """Why the ledger does not balance, or None."""
    times = Counter(int(title) for title, _ in arrived)
    if lost := set(sent.accepted) - times.keys():
        return f"{len(lost)} accepted events did not arrive"
    if doubled := [number for number, count in times.items() if count > 1]:
        return f"{len(doubled)} events arrived more than once"
    return None
