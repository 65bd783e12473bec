"""Every named point of the product, at its first, second and tenth pass: a process ends there, and nothing is lost.

Unlike random kills this leaves no moment to chance: ``tocsin.kit.crash`` lists the moments that matter. After the
death either the same process is started again, or another one that was running beside it takes over alone. Cases
share an installation, a project for each; several installations work side by side.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from uuid import UUID

import aiohttp

from tests.client import Client
from tests.crash.checker import duplicates, read_tables, violations
from tests.crash.installation import SLOTS, Installation, Member, installed
from tests.crash.ledger import Ledger, Load
from tests.crash.project import arranged
from tests.crash.sink import listening
from tests.crash.trial import drain
from tocsin.kit import crash

Way = Literal["restarts", "another takes over"]

PASSES = (1, 2, 10)
LEASE_SECONDS = 2
PASS_LIMIT = 120.0
"""Seconds; a busy machine took 32 for a tenth pass."""
DRAIN_LIMIT = 30.0
SECONDS_PER_CASE = 14.0
"""Of one processor, where it was measured: most of it is starting processes."""


@dataclass(frozen=True)
class Case:
    point: str
    nth: int
    way: Way

    @property
    def role(self) -> str:
        return "api" if self.point.startswith(("api.", "call.")) else "worker"

    def __str__(self) -> str:
        return f"{self.point}, pass {self.nth}, {self.way}"


@dataclass(frozen=True)
class Outcome:
    """What one case brought; ``seconds`` include the start of its processes."""

    case: Case
    violations: list[str]
    acknowledged: int
    duplicates: int
    seconds: float

    def __str__(self) -> str:
        verdict = "RED" if self.violations else "green"
        told = f"{self.acknowledged} acknowledged, {self.duplicates} duplicates, {self.seconds:.1f} s"
        return "\n    ".join([f"{verdict}: {self.case}: {told}", *self.violations])


def every() -> list[Case]:
    return [Case(point, nth, way) for point in crash.POINTS for nth in PASSES for way in get_args(Way)]


def sample(seed: int) -> list[Case]:
    """Each point once, at a pass and with an end that follow from the seed."""
    rng = random.Random(seed)
    return [Case(point, rng.choice(PASSES), rng.choice(get_args(Way))) for point in crash.POINTS]


async def run_all(
    cases: Sequence[Case], *, seed: int, lanes: int = 2, tell: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """All cases in an order of the seed's, as many at once as there are lanes; each lane is an installation."""
    waiting = random.Random(seed).sample(cases, len(cases))
    outcomes: list[Outcome] = []

    async def work_off() -> None:
        async with installed(lease_seconds=LEASE_SECONDS, workers=1) as here:
            while waiting:
                case = waiting.pop()
                try:
                    outcome = await _run(here, case, seed)
                except TimeoutError as late:
                    outcome = Outcome(case, [str(late)], 0, 0, 0.0)
                outcomes.append(outcome)
                tell(outcome)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(lanes, len(cases))):
            group.create_task(work_off())
    return outcomes


async def _run(here: Installation, case: Case, seed: int) -> Outcome:
    began = time.monotonic()
    ledger = Ledger()
    found: list[str] = []
    async with listening(seed) as sink, aiohttp.ClientSession() as http:
        sink.patient = not case.point.startswith("clock.")
        scene = await arranged(here, sink, http)
        doomed = await _armed(here, case)
        load = Load(ledger, [scene.project.key.at(Client(http, api.url)) for api in here.apis], seed)
        try:
            found += await _die(here, doomed, case)
        finally:
            await load.stop()
        await drain(here, DRAIN_LIMIT)
        async with here.sql() as connection:
            tables = await read_tables(connection, UUID(scene.project.id))
        found += [*violations(tables, ledger, sink, scene, SLOTS), *here.complaints]
    here.complaints.clear()
    return Outcome(case, found, len(ledger.acknowledged), duplicates(sink), time.monotonic() - began)


async def _armed(here: Installation, case: Case) -> Member:
    """A process that ends at the point: in place of the one that is there, or beside it. Not waited for, since a
    point may lie before it is ready."""
    once = {"TOCSIN_CRASH_AT": f"{case.point}:{case.nth}", "TOCSIN_CRASH_TESTS": "1"}
    if case.way == "another takes over":
        doomed = await here.add(case.role, once=once)
        doomed.kept = False
        return doomed
    (doomed,) = here.apis if case.role == "api" else here.workers
    doomed.kept = False
    await here.kill(doomed)
    await here.bury(doomed)
    doomed.once = once
    await here.start(doomed)
    return doomed


async def _die(here: Installation, doomed: Member, case: Case) -> list[str]:
    """Wait for the death; what is wrong with it. Afterwards the installation is whole, of unarmed processes."""
    deadline = time.monotonic() + PASS_LIMIT
    while doomed.running and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    found = [] if not doomed.running else [f"{case.point} was not passed {case.nth} times in {PASS_LIMIT:.0f} s"]
    if not found and not _last_words(doomed.log).endswith(f"crashed at {case.point}"):
        found = [f"{doomed.name} ended elsewhere: {_last_words(doomed.log)}"]
    if case.way == "another takes over":
        await here.remove(doomed)
    else:
        await here.kill(doomed)
        doomed.kept = True
        await asyncio.sleep(0.1)
        await here.whole()
    return found


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace").rstrip()[-2000:]
