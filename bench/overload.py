"""More than fits: once, twice and five times what is sustained, and what becomes of it.

A project whose oldest work has waited for too long is turned away until it is worked off. Here that is five seconds
instead of five minutes, so that a run sees it. What is accepted has to arrive, exactly once, and soon after the end.
"""

from collections import Counter

from bench.arranged import add_rule, add_webhook
from bench.far_end import FarEnd, far_end
from bench.results import Line, part_of
from bench.run import Run
from bench.running import Installed, installed
from bench.webhook import BATCH, Driven, drive

TIMES = (1, 2, 5)
PATIENCE_SECONDS = 5
"""The least that an installation may be told."""
FLOOD, FLOOD_SECONDS, QUICK_FLOOD_SECONDS = 3_000.0, 5.0, 2.0
SECONDS, QUICK_SECONDS = 20.0, 8.0
LEAST_GOODPUT, MOST_ANSWERED_MS, MOST_REFUSED_MS, MOST_RECOVERY_SECONDS = 0.9, 1_000.0, 100.0, 60.0
TURNED_AWAY = frozenset({"429", "503"})


async def measure(run: Run) -> list[Line]:
    """What arrives a second, what is accepted and refused, how fast each is answered, and how long it takes after."""
    run.tell("starting")
    settings = {"TOCSIN_BACKLOG_SECONDS": str(PATIENCE_SECONDS)}
    async with installed(worker=True, broker=run.broker, settings=settings) as site, far_end() as far:
        await add_webhook(site.project, far.url)
        await add_rule(site.project, "webhook")
        await drive(site, far, 100, seconds=2, size=1)
        run.tell("a flood, to see what is sustained")
        flood = await drive(site, far, FLOOD, QUICK_FLOOD_SECONDS if run.quick else FLOOD_SECONDS, BATCH)
        seconds = QUICK_SECONDS if run.quick else SECONDS
        return await measured(site, far, run, flood.per_second, seconds)


async def measured(site: Installed, far: FarEnd, run: Run, sustained: float, seconds: float) -> list[Line]:
    """The same in an installation with a worker, whose project has one rule and one webhook."""
    loads = {}
    for times in TIMES:
        run.tell(f"{times} times {sustained:,.0f} events a second, {seconds:g} s")
        loads[times] = await drive(site, far, sustained * times, seconds, BATCH)
    least = loads[TIMES[0]]
    return [line for times, load in loads.items() for line in _lines(times, load, least)]


def fault_of(load: Driven) -> str | None:
    """Why a load counts for nothing, or None: its ledger, a refusal that is not one, or one that says no time."""
    strange = Counter(load.sent.faults).keys() - TURNED_AWAY
    if strange:
        return f"answered {', '.join(sorted(strange))}"
    if load.sent.unhelpful:
        return f"{load.sent.unhelpful:,} refusals without Retry-After"
    return load.void


def _lines(times: int, load: Driven, least: Driven) -> list[Line]:
    void = fault_of(load)
    what, sent, faults = f"{times} x sustained", load.sent, Counter(load.sent.faults)
    last_due = load.schedule.due(load.schedule.count - 1)
    details = {
        "offered": load.schedule.per_second,
        "accepted": len(sent.accepted),
        "arrived": len(load.arrived),
        "refused with 429": faults["429"],
        "refused with 503": faults["503"],
    }
    if not (sent.accepted and load.arrived and least.arrived):
        return [Line(f"{what}, arrived", 0, "/s", void=void or "nothing was accepted", details=details)]
    lines = [
        Line(f"{what}, arrived", load.per_second, "/s", least.per_second, LEAST_GOODPUT, void=void, details=details),
        _most(f"{what}, accepted: answered, 99 of 100", part_of(sorted(sent.answered), 0.99), MOST_ANSWERED_MS, void),
    ]
    if sent.refused:
        taken = part_of(sorted(sent.refused), 0.99)
        lines.append(_most(f"{what}, refused: answered, 99 of 100", taken, MOST_REFUSED_MS, void))
    recovery = max(0.0, load.last_second - last_due)
    return [*lines, Line(f"{what}, worked off after", recovery, "s", None, MOST_RECOVERY_SECONDS, "most", void)]


def _most(what: str, milliseconds: float, bar: float, void: str | None) -> Line:
    return Line(what, milliseconds, "ms", None, bar, "most", void)
