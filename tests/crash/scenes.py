"""Scenes that random faults do not make: each has to end well, and with a bug planted into it, badly."""

from collections.abc import Awaitable, Callable

from tests.crash import fairness, full_disk, late_record, poison, trial, zombie
from tests.crash.nemesis import FAR_END
from tests.crash.saboteurs import (
    CRASHES_NOT_COUNTED,
    LEASES_IGNORED,
    NO_CAP_IN_FLIGHT,
    RESULTS_FORGOTTEN_WITH_THE_LEASE,
    UNDER_FIRE,
    Saboteur,
)
from tests.crash.sink import MOODS, MOODY

Scene = Callable[[int], Awaitable[list[str]]]
"""Takes a seed, gives what does not hold."""

FAULTS = 6
DRAIN_SECONDS = 15.0
POISON_LIMIT = 30.0
MOODY_TIMES = 3


async def _sleeper(_seed: int) -> list[str]:
    return await zombie.run()


async def _poison(seed: int) -> list[str]:
    found, deaths = await poison.run(seed=seed)
    return found if deaths == poison.CLAIMS else [*found, f"it took {deaths} workers"]


async def _hanging_neighbour(_seed: int) -> list[str]:
    return await fairness.run()


async def _late_record(_seed: int) -> list[str]:
    return await late_record.run()


async def _lying_far_ends(seed: int) -> list[str]:
    report = await trial.run(seed=seed, faults=MOODY_TIMES, only=[f"{FAR_END} {MOODY}"])
    return [*report.violations, *(f"the far end never {mood}" for mood in MOODS if not report.moods[mood])]


async def _full_disk(seed: int) -> list[str]:
    return await full_disk.run(seed=seed)


async def _results_forgotten(_seed: int) -> list[str]:
    return await late_record.run(sabotage=RESULTS_FORGOTTEN_WITH_THE_LEASE)


async def _leases_ignored(_seed: int) -> list[str]:
    return await zombie.run(sabotage=LEASES_IGNORED)


async def _crashes_not_counted(seed: int) -> list[str]:
    return (await poison.run(seed=seed, sabotage=CRASHES_NOT_COUNTED, limit=POISON_LIMIT))[0]


async def _no_cap_in_flight(_seed: int) -> list[str]:
    return await fairness.run(sabotage=NO_CAP_IN_FLIGHT)


def _under_fire(saboteur: Saboteur) -> Scene:
    async def scene(seed: int) -> list[str]:
        report = await trial.run(seed=seed, faults=FAULTS, saboteur=saboteur, drain_seconds=DRAIN_SECONDS)
        return report.violations

    return scene


SCENES: dict[str, Scene] = {
    "a worker that wakes after its lease": _sleeper,
    "a poison event": _poison,
    "a neighbour whose endpoint hangs": _hanging_neighbour,
    "a database that is away when providers answer": _late_record,
    "far ends that are slow and lie": _lying_far_ends,
    "a full disk": _full_disk,
}

BUGS: dict[str, Scene] = {
    "leases ignored": _leases_ignored,
    "results forgotten with the lease": _results_forgotten,
    "crashes not counted": _crashes_not_counted,
    "no cap in flight": _no_cap_in_flight,
    **{saboteur.name: _under_fire(saboteur) for saboteur in UNDER_FIRE},
}
"""What the checker must turn red over."""
