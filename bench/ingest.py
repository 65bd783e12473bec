"""Durable single events: `POST /events` against an empty POST on a bare route (the bar: a quarter of it)."""

from functools import partial

from bench.bare_route import bare_route
from bench.ledger import Ledger
from bench.processes import cpu_seconds, spent
from bench.results import Line, middle, moved
from bench.run import Run
from bench.running import Installed, installed
from bench.wrk import Driven, drive, require_wrk, sending

CONNECTIONS = 64
BAR = 0.25


async def measure(run: Run) -> list[Line]:
    """The API by itself; for information also beside a worker that matches every event meanwhile."""
    require_wrk()
    return [*await _measured(run, worker=False), *await _measured(run, worker=True)]


async def _measured(run: Run, *, worker: bool) -> list[Line]:
    run.tell("starting")
    async with installed(worker=worker, broker=run.broker) as site, bare_route() as (url, pid):
        ledger = Ledger()
        await _empty(url, pid, seconds=1)
        await _events(site, ledger, keys=True, seconds=1)
        floor, keyed, plain = await run.alternate(
            ("bare route", partial(_empty, url, pid, run.seconds)),
            ("events with keys", partial(_events, site, ledger, keys=True, seconds=run.seconds)),
            ("events without keys", partial(_events, site, ledger, keys=False, seconds=run.seconds)),
        )
        fault = ledger.fault(await site.count_events())
    beside = " beside a working worker" if worker else ""
    bar = None if worker else BAR
    return [
        _line(f"with keys{beside}", keyed, floor, bar, fault),
        _line(f"without keys{beside}", plain, floor, bar, fault),
    ]


async def _empty(url: str, pid: int, seconds: float) -> Driven:
    before = cpu_seconds({"api": pid})
    driven = await drive(url, "empty.lua", connections=CONNECTIONS, seconds=seconds)
    return driven.costing(spent(before, cpu_seconds({"api": pid})))


async def _events(site: Installed, ledger: Ledger, *, keys: bool, seconds: float) -> Driven:
    await site.tidy()
    before = cpu_seconds(site.pids)
    driven = await drive(
        f"{site.api.url}/api/v1/events",
        "events.lua",
        connections=CONNECTIONS,
        seconds=seconds,
        environment=sending(site.project, size=0, keys=keys),
    )
    ledger.add(driven.requests - driven.faults, CONNECTIONS)
    return driven.costing(spent(before, cpu_seconds(site.pids)))


def _line(what: str, driven: list[Driven], floor: list[Driven], bar: float | None, fault: str | None) -> Line:
    floors = [load.per_second for load in floor]
    costs = _microseconds(driven)
    return Line(
        what,
        middle([load.per_second for load in driven]),
        "/s",
        floor=middle(floors),
        bar=bar,
        void=fault or moved(floors),
        details={
            **{f"µs {part}": value for part, value in costs.items()},
            "µs bare route": _microseconds(floor)["api"],
            "faults": sum(load.faults for load in driven),
            "rounds": [load.per_second for load in driven],
            "floor rounds": floors,
        },
    )


def _microseconds(driven: list[Driven]) -> dict[str, float]:
    """Processor time per request, by the part that spent it."""
    requests = sum(load.requests for load in driven)
    return {part: sum(load.cpu_seconds[part] for load in driven) / requests * 1e6 for part in driven[0].cpu_seconds}
