"""Every acknowledged event ends in an outcome, whatever is killed while events flow (E1, E2, D1).

The short form of ``python -m tests.crash``: what varies follows from a seed that a failure names. Installations mostly
wait, so several live side by side, and a test waits for its own.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest

from tests.crash import points, trial
from tests.crash.full_disk import CannotMount
from tests.crash.scenes import BUGS, SCENES
from tocsin.kit import crash

SEED = int.from_bytes(os.urandom(2), "big")
BESIDE = 2
"""Installations at once."""
FAULTS = {"postgres": 14, "redis": 12}
BUGS_TRIED = (
    "leases ignored",
    "no cap in flight",
    "no sweep",
    "results forgotten with the lease",
)
"""Found within seconds, whatever the seed. The others need more faults, and are tried by `make crash`."""

T = TypeVar("T")

never_repeated = pytest.mark.flaky(reruns=0)
"""What was lost once was lost."""


class SideBySide(dict[str, "asyncio.Task[T]"]):
    """What was begun under a name. What is asked for a second time is done anew, by itself."""

    def __init__(self, work: dict[str, Callable[[], Awaitable[T]]]) -> None:
        room = asyncio.Semaphore(BESIDE)

        async def done(each: Callable[[], Awaitable[T]]) -> T:
            async with room:
                return await each()

        super().__init__({name: asyncio.create_task(done(each)) for name, each in work.items()})
        self._work = work

    async def result(self, name: str) -> T:
        begun = self.pop(name, None)
        return await (begun if begun is not None else self._work[name]())

    async def end(self) -> None:
        for task in self.values():
            task.cancel()
        await asyncio.gather(*self.values(), return_exceptions=True)


@pytest.fixture(scope="module")
async def rounds() -> AsyncIterator[SideBySide[trial.Report]]:
    """Random faults over each broker; the loops of one stumble besides."""
    beside = SideBySide(
        {
            broker: lambda broker=broker: trial.run(
                seed=SEED, faults=FAULTS[broker], redis=broker == "redis", stumbling=broker == "postgres"
            )
            for broker in FAULTS
        }
    )
    yield beside
    await beside.end()


@pytest.fixture(scope="module")
async def staged() -> AsyncIterator[SideBySide[list[str]]]:
    """Scenes, and bugs planted into some."""
    wanted = {**SCENES, **{name: BUGS[name] for name in BUGS_TRIED}}
    beside = SideBySide({name: lambda scene=scene: scene(SEED) for name, scene in wanted.items()})
    yield beside
    await beside.end()


@never_repeated
@pytest.mark.parametrize("broker", FAULTS)
async def test_nothing_acknowledged_is_lost(broker: str, rounds: SideBySide[trial.Report]) -> None:
    report = await rounds.result(broker)
    print(report)
    assert report.kills > FAULTS[broker] // 4
    assert report.acknowledged == report.events > 100
    assert not report.violations, str(report)


@never_repeated
async def test_a_process_may_end_at_any_named_point() -> None:
    outcomes = await points.run_all(points.sample(SEED), seed=SEED)
    assert {outcome.case.point for outcome in outcomes} == set(crash.POINTS)
    assert not (red := [str(outcome) for outcome in outcomes if outcome.violations]), "\n".join([str(SEED), *red])


@pytest.mark.parametrize("name", SCENES)
async def test_a_scene_ends_well(name: str, staged: SideBySide[list[str]]) -> None:
    try:
        found = await staged.result(name)
    except CannotMount as reason:
        pytest.skip(str(reason))
    assert not found, (SEED, found)


@pytest.mark.parametrize("name", BUGS_TRIED)
async def test_the_checker_turns_red_over_a_planted_bug(name: str, staged: SideBySide[list[str]]) -> None:
    assert await staged.result(name), (SEED, name)
