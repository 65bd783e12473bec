"""Batches of events against plain grouped inserts of the same rows (the bar: half of them).

The floor inserts over as many connections as the API stores events with; what four connections reach, which fill
both cores with nothing but inserts, is printed beside it.
"""

import secrets
from functools import partial

from bench.ledger import Ledger
from bench.plain_inserts import Inserted, Task, insert
from bench.results import Line, middle, unsteady
from bench.run import Run
from bench.running import Installed, installed
from bench.wrk import Driven, drive, require_wrk, sending

CONNECTIONS = 4
STORING = 2
"""Groups that the API has under way at once (``EventStore``)."""
SIZES = (1_000, 100)
BAR = 0.5


async def measure(run: Run) -> list[Line]:
    """`POST /events/batch` over a few connections, in large and small batches, with and without keys."""
    require_wrk()
    return [await _measured(run, size, keys) for size in SIZES for keys in (True, False)]


async def _measured(run: Run, size: int, keys: bool) -> Line:
    run.tell("starting")
    async with installed(worker=False) as site:
        ledger = Ledger()
        await _batches(site, ledger, size, keys, seconds=1)
        await _inserts(site, ledger, size, keys, STORING, seconds=1)
        floors, filling, driven = await run.alternate(
            (f"plain inserts of {size:,}", partial(_inserts, site, ledger, size, keys, STORING, run.seconds)),
            ("the same over four", partial(_inserts, site, ledger, size, keys, CONNECTIONS, run.seconds)),
            (f"batches of {size:,}", partial(_batches, site, ledger, size, keys, run.seconds)),
        )
        fault = ledger.fault(await site.count_events())
    figures, plain = [load.per_second * size for load in driven], [floor.per_second for floor in floors]
    ratios = [figure / beside for figure, beside in zip(figures, plain, strict=True)]
    return Line(
        f"{size:,} events a batch, {'with' if keys else 'without'} keys",
        middle(figures),
        "rows/s",
        floor=middle(plain),
        bar=BAR,
        void=fault or unsteady(ratios),
        ratios=ratios,
        details={
            "faults": sum(load.faults for load in driven),
            "over four connections": middle([each.per_second for each in filling]),
            "rounds": figures,
            "floor rounds": plain,
        },
    )


async def _inserts(
    site: Installed, ledger: Ledger, size: int, keys: bool, connections: int, seconds: float
) -> Inserted:
    await site.tidy()
    start = secrets.token_hex(4) if keys else ""
    task = Task(site.site.installer_url, site.project_id, size, start, connections, seconds)
    inserted = await insert(task)
    ledger.add(inserted.rows)
    return inserted


async def _batches(site: Installed, ledger: Ledger, size: int, keys: bool, seconds: float) -> Driven:
    await site.tidy()
    driven = await drive(
        f"{site.api.url}/api/v1/events/batch",
        "events.lua",
        connections=CONNECTIONS,
        seconds=seconds,
        environment=sending(site.project, size=size, keys=keys),
    )
    ledger.add((driven.requests - driven.faults) * size, CONNECTIONS * size)
    return driven
