"""Every named point of the product, at its first, second and tenth pass: a process ends there, and nothing is lost.

Unlike random kills this leaves no moment to chance: ``tocsin.kit.crash`` lists the moments that matter. After the
death either the same process is started again, or another one that was running beside it takes over alone. What is
said to others at a point goes over the broker, so those points are passed over Redis as well. Cases share an
installation, a project for each; several installations work side by side, since a case mostly waits.
"""

import asyncio
import os
import random
import signal
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
MOSTLY = (1, 1, 2, 2, 10)
"""Of a sample: a tenth pass takes as long as all others."""
CLIENTS = 2
"""A point is passed by batches, however few events are in them."""
OVER_A_BROKER = (
    "api.after_commit",
    "match.after_commit",
    "insist.after_commit",
    "turn.after_commit",
    "digest.after_commit",
    "clock.after_due",
    "clock.after_held",
    "clock.after_release",
    "broker.before_send",
    "broker.after_send",
)
"""Where somebody is about to be told, or was."""
LEASE_SECONDS = 2
PASS_LIMIT = 120.0
"""Seconds; a busy machine took 32 for a tenth pass."""
DRAIN_LIMIT = 30.0
AFTERWARDS = 0.5
"""Seconds for which events go on after the death."""
LANES = 3
SECONDS_PER_CASE = 11.0
"""In one of three lanes, on two cores that had other work too."""

ARMED_LATER = """
import os, pathlib, signal
from tocsin.kit import crash
signal.signal(signal.SIGUSR2, lambda *_: crash.arm(pathlib.Path(f"arm-{os.getpid()}").read_text()))
"""
"""A prologue: a process that runs is told its point by a file and a signal, and need not be started again for it."""


@dataclass(frozen=True)
class Case:
    point: str
    nth: int
    way: Way
    redis: bool = False

    @property
    def role(self) -> str:
        """Who passes the point. Both tell others: the second time we look at the API."""
        if self.point.startswith("broker."):
            return "api" if self.nth == 2 else "worker"
        return "api" if self.point.startswith(("api.", "call.")) else "worker"

    @property
    def armed(self) -> str:
        return f"{self.point}:{self.nth}"

    def __str__(self) -> str:
        return f"{self.point}{' over redis' * self.redis}, pass {self.nth}, {self.way}"


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
    return [
        Case(point, nth, way, redis)
        for redis in (False, True)
        for point in (OVER_A_BROKER if redis else crash.POINTS)
        for nth in PASSES
        for way in get_args(Way)
    ]


def sample(seed: int) -> list[Case]:
    """Each point once, at a pass, with an end and over a broker that follow from the seed; those of the broker over
    both."""
    rng = random.Random(seed)
    over_both = [point for point in crash.POINTS if point.startswith("broker.")]
    places = [(point, point in OVER_A_BROKER) for point in crash.POINTS] + [(point, False) for point in over_both]
    return [Case(point, rng.choice(MOSTLY), rng.choice(get_args(Way)), redis) for point, redis in places]


async def run_all(
    cases: Sequence[Case], *, seed: int, lanes: int = LANES, tell: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """All cases in an order of the seed's, as many at once as there are lanes; each lane is an installation, and each
    broker has one at least."""
    outcomes: list[Outcome] = []

    async def work_off(redis: bool, waiting: list[Case]) -> None:
        planted = dict.fromkeys(("api", "worker"), ARMED_LATER)
        async with installed(redis=redis, apis=1, lease_seconds=LEASE_SECONDS, workers=1, sabotage=planted) as here:
            while waiting:
                case = waiting.pop()
                try:
                    outcome = await _run(here, case, seed)
                except TimeoutError as late:
                    outcome = Outcome(case, [str(late)], 0, 0, 0.0)
                outcomes.append(outcome)
                tell(outcome)

    async with asyncio.TaskGroup() as group:
        for redis in (False, True):
            ours = [case for case in cases if case.redis is redis]
            random.Random(seed).shuffle(ours)
            for _ in range(min(len(ours), max(1, round(lanes * len(ours) / len(cases))))):
                group.create_task(work_off(redis, ours))
    return outcomes


async def _run(here: Installation, case: Case, seed: int) -> Outcome:
    began = time.monotonic()
    ledger = Ledger()
    found: list[str] = []
    async with listening(seed) as sink, aiohttp.ClientSession() as http:
        sink.patient = not case.point.startswith("clock.")
        scene = await arranged(here, sink, http)
        doomed = await _armed(here, case)
        load = Load(ledger, [scene.project.key.at(Client(http, api.url)) for api in here.apis], seed, CLIENTS)
        try:
            found += await _die(doomed, case)
            await asyncio.sleep(AFTERWARDS)
        finally:
            await asyncio.gather(_mend(here, doomed, case), load.stop())
        await drain(here, DRAIN_LIMIT)
        async with here.sql() as connection:
            tables = await read_tables(connection, UUID(scene.project.id))
        found += [*violations(tables, ledger, sink, scene, SLOTS), *here.complaints]
    here.complaints.clear()
    return Outcome(case, found, len(ledger.acknowledged), duplicates(sink), time.monotonic() - began)


async def _armed(here: Installation, case: Case) -> Member:
    """A process that ends at the point: the one that is there, or a further one, which is not waited for, since a
    point may lie before it is ready."""
    if case.way == "another takes over":
        once = {"TOCSIN_CRASH_AT": case.armed, "TOCSIN_CRASH_TESTS": "1"}
        doomed = await here.add(case.role, once=once)
        doomed.kept = False
        return doomed
    (doomed,) = here.apis if case.role == "api" else here.workers
    doomed.kept = False
    (here.folder / f"arm-{doomed.pid}").write_text(case.armed)
    os.kill(doomed.pid, signal.SIGUSR2)
    return doomed


async def _die(doomed: Member, case: Case) -> list[str]:
    """Wait for the death; what is wrong with it."""
    deadline = time.monotonic() + PASS_LIMIT
    while doomed.running and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    if doomed.running:
        return [f"{case.point} was not passed {case.nth} times in {PASS_LIMIT:.0f} s"]
    if not (said := _last_words(doomed.log)).endswith(f"crashed at {case.point}"):
        return [f"{doomed.name} ended elsewhere: {said}"]
    return []


async def _mend(here: Installation, doomed: Member, case: Case) -> None:
    """Make the installation whole again, of unarmed processes."""
    if case.way == "another takes over":
        await here.remove(doomed)
    else:
        await here.kill(doomed)
        await here.bury(doomed)
        await here.start(doomed)
        doomed.kept = True
        await here.whole()


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace").rstrip()[-2000:]
