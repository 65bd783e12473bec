"""Every acknowledged event ends in an outcome, whatever is killed while events flow (E1, E2, D1).

The short form of ``python -m tests.crash``. A failure names its seed: run that with ``--seed N --runs 1``.
"""

import os

import pytest

from tests.crash import poison, trial, zombie
from tests.crash.saboteurs import LEASES_IGNORED, UNDER_FIRE

SEED = int.from_bytes(os.urandom(2), "big")


@pytest.mark.parametrize(("redis", "kills"), [(False, 12), (True, 10)], ids=["postgres", "redis"])
async def test_nothing_acknowledged_is_lost(redis: bool, kills: int) -> None:
    report = await trial.run(seed=SEED, kills=kills, redis=redis)
    print(report)
    assert report.kills >= kills
    assert report.acknowledged == report.events > 100
    assert not report.violations, str(report)


async def test_a_worker_that_wakes_after_its_lease_changes_nothing() -> None:
    assert not await zombie.run()


async def test_a_poison_event_is_set_aside_after_three_workers_and_takes_no_other_along() -> None:
    found, deaths = await poison.run(seed=SEED)
    assert not found, (SEED, found)
    assert deaths == poison.CLAIMS


async def test_the_checker_turns_red_when_nobody_releases_the_leases_of_the_dead() -> None:
    no_sweep = UNDER_FIRE[0]
    report = await trial.run(seed=SEED, kills=2, saboteur=no_sweep, drain_seconds=8)
    assert any("did not" in violation for violation in report.violations), str(report)


async def test_the_checker_turns_red_when_leases_are_ignored() -> None:
    """Which of its two sleeps the worker breaks something after depends on how far the other had come by then."""
    found = await zombie.run(sabotage=LEASES_IGNORED)
    assert any("notified twice" in violation or "duplicates at the sink" in violation for violation in found), found
