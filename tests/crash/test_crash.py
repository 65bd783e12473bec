"""Every acknowledged event ends in an outcome, whatever is killed while events flow (E1, E2, D1).

The short form of ``python -m tests.crash``: what varies follows from a seed that a failure names.
"""

import os

import pytest

from tests.crash import points, trial
from tests.crash.full_disk import CannotMount
from tests.crash.scenes import BUGS, SCENES
from tocsin.kit import crash

SEED = int.from_bytes(os.urandom(2), "big")
BUGS_TRIED = ("leases ignored", "no cap in flight", "no sweep")
"""Found within seconds, whatever the seed. The others need more faults, and are tried by `make crash`."""

never_repeated = pytest.mark.flaky(reruns=0)
"""What was lost once was lost."""


@never_repeated
@pytest.mark.parametrize(
    ("redis", "stumbling", "faults"), [(False, True, 14), (True, False, 12)], ids=["postgres", "redis"]
)
async def test_nothing_acknowledged_is_lost(redis: bool, stumbling: bool, faults: int) -> None:
    report = await trial.run(seed=SEED, faults=faults, redis=redis, stumbling=stumbling)
    print(report)
    assert report.kills > faults // 4
    assert report.acknowledged == report.events > 100
    assert not report.violations, str(report)


@never_repeated
async def test_a_process_may_end_at_any_named_point() -> None:
    outcomes = await points.run_all(points.sample(SEED), seed=SEED)
    assert {outcome.case.point for outcome in outcomes} == set(crash.POINTS)
    assert not (red := [str(outcome) for outcome in outcomes if outcome.violations]), "\n".join([str(SEED), *red])


@pytest.mark.parametrize("name", SCENES)
async def test_a_scene_ends_well(name: str) -> None:
    try:
        found = await SCENES[name](SEED)
    except CannotMount as reason:
        pytest.skip(str(reason))
    assert not found, (SEED, found)


@pytest.mark.parametrize("name", BUGS_TRIED)
async def test_the_checker_turns_red_over_a_planted_bug(name: str) -> None:
    assert await BUGS[name](SEED), (SEED, name)
