"""One run: an installation under load, a number of faults, a calm end, the comparison."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import aiohttp

from tests.client import Client
from tests.crash.checker import UNFINISHED, duplicates, lost, read_tables, seen_twice, violations
from tests.crash.installation import SLOTS, Installation, installed
from tests.crash.ledger import Ledger, Load
from tests.crash.nemesis import Fault, Nemesis
from tests.crash.project import arranged
from tests.crash.repeats import Repeats, explained
from tests.crash.saboteurs import Saboteur
from tests.crash.sink import Sink, listening
from tests.crash.stumbling import STUMBLING, met, unmet

DRAIN_SECONDS = 30.0

_BRING_FORWARD = """
UPDATE tocsin.deliveries SET due_at = now()
WHERE state = 'queued' AND NOT ready AND due_at > now() + interval '10 seconds'
"""


@dataclass
class Report:
    """What one run did and found."""

    seed: int
    broker: str
    stumbling: bool = False
    with_old: bool = False
    """Whether the version before ran beside this one."""
    faults: list[Fault] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    events: int = 0
    acknowledged: int = 0
    sends: int = 0
    calls: int = 0
    duplicates: int = 0
    seen_twice: int = 0
    repeats: Repeats = field(default_factory=Repeats)
    seconds: float = 0.0
    """From the first event to the last fault."""
    moods: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    stuck: int = 0
    hung_up: int = 0
    once: int = 0
    stumbles: Counter[str] = field(default_factory=Counter)
    drain_seconds: float = 0.0
    delays: list[float] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return sum(fault.deadly for fault in self.faults)

    def __str__(self) -> str:
        kinds = Counter(fault.kind for fault in self.faults)
        mended = sorted(fault.seconds for fault in self.faults if fault.seconds is not None)
        lines = [
            f"seed {self.seed}, broker {self.broker}{', loops stumbling' * self.stumbling}"
            f"{', beside the version before' * self.with_old}: {self.kills} kills "
            f"in {len(self.faults)} faults, {self.acknowledged} of {self.events} events acknowledged in "
            f"{self.sends} sends, {self.once} calls under a key, {self.calls} webhooks, {self.duplicates} duplicates "
            f"({self.repeats.known.total()} of them after an answer), "
            f"{self.hung_up} clients hung up, {self.stumbles.total()} exceptions in loops, "
            f"drained in {self.drain_seconds:.1f} s",
            f"  {_listed(kinds)}",
            f"  whole again after {_spread(mended)}; from acknowledgement to call {_spread(sorted(self.delays))}",
            *([f"  repeated after an answer: {_listed(self.repeats.known)}"] if self.repeats.known else []),
            *(f"  VIOLATED: {violation}" for violation in self.violations),
            *(f"    {trouble}" for trouble in self.troubles if self.violations),
        ]
        return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}x" for kind, count in sorted(counts.items()))


def _spread(values: list[float]) -> str:
    if not values:
        return "(none measured)"
    return (
        f"median {values[len(values) // 2]:.2f} s, p99 {values[len(values) * 99 // 100]:.2f} s, most {values[-1]:.2f} s"
    )


async def run(
    *,
    seed: int,
    faults: int,
    redis: bool = False,
    stumbling: bool = False,
    lease_seconds: int = 4,
    saboteur: Saboteur | None = None,
    only: Collection[str] = (),
    old: Path | None = None,
    drain_seconds: float = DRAIN_SECONDS,
    tell: Callable[[Fault], None] = lambda _: None,
) -> Report:
    """Do ``faults`` faults, of ``only`` these kinds or of all, most of which kill a process, while events flow.

    Everything follows from ``seed`` but the timing of the machine. With ``stumbling`` every loop of API and worker
    raises exceptions besides.
    """
    report = Report(seed, "redis" if redis else "postgres", stumbling, with_old=old is not None)
    async with (
        listening(seed) as sink,
        installed(redis=redis, lease_seconds=lease_seconds, sabotage=_planted(saboteur, stumbling), old=old) as here,
        aiohttp.ClientSession() as http,
    ):
        scene = await arranged(here, sink, http)
        ledger = Ledger()
        nemesis = Nemesis(here, sink, seed, saboteur.faults if saboteur else only)
        began = time.monotonic()
        load = Load(ledger, [scene.project.key.at(Client(http, api.url)) for api in here.apis], seed)
        try:
            while len(nemesis.faults) < faults:
                tell(await nemesis.strike())
            await here.whole()
        finally:
            await load.stop()
        report.seconds = time.monotonic() - began
        report.drain_seconds = await drain(here, drain_seconds)
        async with here.sql() as connection:
            tables = await read_tables(connection, UUID(scene.project.id))
        report.faults = nemesis.faults
        most_duplicates = len(nemesis.faults) * SLOTS
        report.violations = [*violations(tables, ledger, sink, scene, most_duplicates), *here.complaints]
        report.troubles = here.troubles()
        if stumbling:
            logs = here.logs()
            report.stumbles = met(logs)
            report.violations += unmet(logs)
    report.events, report.acknowledged = len(ledger.entries), len(ledger.acknowledged)
    report.sends = sum(entry.sends for entry in ledger.entries.values())
    report.calls, report.duplicates = sum(map(len, sink.hits.values())), duplicates(sink)
    report.repeats, report.moods = explained(sink, report.faults, lease_seconds), sink.moods_met
    report.lost, report.stuck, report.hung_up = lost(tables, ledger), tables.unfinished, ledger.hung_up
    report.seen_twice = seen_twice(tables, sink)
    if report.seen_twice:
        report.violations.append(f"{report.seen_twice} things were seen twice by whoever knows webhook-ids")
    report.once = len(ledger.calls)
    report.delays = _delays(ledger, sink)
    return report


def _planted(saboteur: Saboteur | None, stumbling: bool) -> dict[str, str]:
    planted = dict.fromkeys(("api", "worker"), STUMBLING if stumbling else "")
    if saboteur:
        planted[saboteur.role] += saboteur.prologue
    return planted


async def drain(here: Installation, limit: float) -> float:
    """Wait until no event and no delivery is unfinished, or until nothing was finished for ``limit`` seconds, and
    never longer than ten times that; the seconds it took.

    A third attempt comes minutes after the second one. Its time is brought forward, since nobody waits that long here.
    """
    began = progressed = time.monotonic()
    fewest = None
    async with here.sql() as connection:
        while unfinished := await connection.fetchval(UNFINISHED):
            now = time.monotonic()
            if fewest is None or unfinished < fewest:
                fewest, progressed = unfinished, now
            if now - progressed > limit or now - began > 10 * limit:
                break
            await connection.execute(_BRING_FORWARD)
            await asyncio.sleep(0.1)
    return time.monotonic() - began


def _delays(ledger: Ledger, sink: Sink) -> list[float]:
    """Seconds from the acknowledgement of an event to the first call for it that was taken."""
    heard = {
        hit.client_event_id: hit.at for calls in sink.hits.values() for hit in reversed(calls) if hit.answered < 300
    }
    return [
        max(0.0, heard[entry.client_event_id] - entry.acknowledged_at)
        for entry in ledger.acknowledged
        if entry.client_event_id in heard
    ]
