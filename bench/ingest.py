"""Durable single events: `POST /events` against two routes served alike, in turn.

One answers an empty POST and does nothing, which nothing can be faster than. The other stores each event by a
transaction of its own, as most would write it first.
"""

from functools import partial

from bench.bare_route import bare_route
from bench.ledger import Ledger
from bench.one_insert import one_insert
from bench.processes import cpu_seconds, spent
from bench.results import Line, middle, unsteady
from bench.run import Run
from bench.running import Installed, installed
from bench.wrk import Driven, drive, require_wrk, sending

CONNECTIONS = 64
OF_BARE_ROUTE = 0.35
OF_ONE_INSERT = 3.0


async def measure(run: Run) -> list[Line]:
    """The API by itself; for information also beside a worker that matches every event meanwhile."""
    require_wrk()
    return [*await _by_itself(run), *await _beside_a_worker(run)]


async def _by_itself(run: Run) -> list[Line]:
    run.tell("starting")
    async with (
        installed(worker=False) as site,
        bare_route() as (bare_url, bare_pid),
        one_insert(site.site.installer_url) as (insert_url, insert_pid),
    ):
        ledger, inserted = Ledger(), Ledger()
        # The other route's inserts are done by the same database, so what it costs is told of both.
        inserting = {**site.pids, "api": insert_pid}
        await empty(bare_url, bare_pid, seconds=1)
        await inserts(site, inserted, insert_url, inserting, seconds=1)
        await events(site, ledger, keys=True, seconds=1)
        floor, single, keyed, plain = await run.alternate(
            ("bare route", partial(empty, bare_url, bare_pid, run.seconds)),
            ("one insert per request", partial(inserts, site, inserted, insert_url, inserting, run.seconds)),
            ("events with keys", partial(events, site, ledger, keys=True, seconds=run.seconds)),
            ("events without keys", partial(events, site, ledger, keys=False, seconds=run.seconds)),
        )
        there = int(await site.superuser.fetchval("SELECT count(*) FROM bench.events"))
        fault = ledger.fault(await site.count_events()) or inserted.fault(there)
    return [
        _line("with keys / bare route", keyed, floor, OF_BARE_ROUTE, fault),
        _line("without keys / bare route", plain, floor, OF_BARE_ROUTE, fault),
        _line("with keys / one insert per request", keyed, single, OF_ONE_INSERT, fault),
    ]


async def _beside_a_worker(run: Run) -> list[Line]:
    run.tell("starting")
    async with installed(worker=True, broker=run.broker) as site, bare_route() as (url, pid):
        ledger = Ledger()
        await empty(url, pid, seconds=1)
        await events(site, ledger, keys=True, seconds=1)
        floor, keyed, plain = await run.alternate(
            ("bare route", partial(empty, url, pid, run.seconds)),
            ("events with keys", partial(events, site, ledger, keys=True, seconds=run.seconds)),
            ("events without keys", partial(events, site, ledger, keys=False, seconds=run.seconds)),
        )
        fault = ledger.fault(await site.count_events())
    return [
        _line("with keys beside a working worker / bare route", keyed, floor, None, fault),
        _line("without keys beside a working worker / bare route", plain, floor, None, fault),
    ]


async def empty(url: str, pid: int, seconds: float) -> Driven:
    """Empty POSTs to the bare route."""
    before = cpu_seconds({"api": pid})
    driven = await drive(url, "empty.lua", connections=CONNECTIONS, seconds=seconds)
    return driven.costing(spent(before, cpu_seconds({"api": pid})))


async def inserts(site: Installed, ledger: Ledger, url: str, pids: dict[str, int], seconds: float) -> Driven:
    """Events with keys to the route that inserts each."""
    return await _driven(site, ledger, url, pids, keys=True, seconds=seconds)


async def events(site: Installed, ledger: Ledger, *, keys: bool, seconds: float) -> Driven:
    """Events to the product."""
    return await _driven(site, ledger, f"{site.api.url}/api/v1/events", site.pids, keys=keys, seconds=seconds)


async def _driven(
    site: Installed, ledger: Ledger, url: str, pids: dict[str, int], *, keys: bool, seconds: float
) -> Driven:
    await site.tidy()
    before = cpu_seconds(pids)
    sent = sending(site.project, size=0, keys=keys)
    driven = await drive(url, "events.lua", connections=CONNECTIONS, seconds=seconds, environment=sent)
    ledger.add(driven.requests - driven.faults, CONNECTIONS)
    return driven.costing(spent(before, cpu_seconds(pids)))


def _line(what: str, driven: list[Driven], floor: list[Driven], bar: float | None, fault: str | None) -> Line:
    figures, floors = [load.per_second for load in driven], [load.per_second for load in floor]
    ratios = [figure / beside for figure, beside in zip(figures, floors, strict=True)]
    return Line(
        what,
        middle(figures),
        "/s",
        floor=middle(floors),
        bar=bar,
        void=fault or unsteady(ratios),
        ratios=ratios,
        details={
            **{f"µs {part}": value for part, value in _microseconds(driven).items()},
            **{f"µs {part} of the floor": value for part, value in _microseconds(floor).items()},
            "faults": sum(load.faults for load in driven),
            "rounds": figures,
            "floor rounds": floors,
        },
    )


def _microseconds(driven: list[Driven]) -> dict[str, float]:
    """Processor time per request, by the part that spent it."""
    requests = sum(load.requests for load in driven)
    return {part: sum(load.cpu_seconds[part] for load in driven) / requests * 1e6 for part in driven[0].cpu_seconds}
