"""The long form: ``python -m tests.crash --runs 30 --seed 1 --kills 20``, half of the runs over Redis."""

import argparse
import asyncio
import sys
import time

from tests.crash import poison, trial, zombie
from tests.crash.saboteurs import LEASES_IGNORED, UNDER_FIRE


def main() -> int:
    arguments = _arguments()
    failures = asyncio.run(_run_all(arguments.runs, arguments.seed, arguments.kills))
    if not arguments.only_runs:
        failures += asyncio.run(_run_special(arguments.seed))
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="of the first run")
    parser.add_argument("--only-runs", action="store_true", help="leave out zombies, poison and saboteurs")
    parser.add_argument("--kills", type=int, default=20, help="in each run")
    return parser.parse_args()


async def _run_all(runs: int, first_seed: int, kills: int) -> int:
    """The number of runs in which something did not hold."""
    reports = []
    for number in range(runs):
        print(f"run {number + 1} of {runs}", flush=True)
        report = await trial.run(
            seed=first_seed + number,
            kills=kills,
            redis=number % 2 == 1,
            tell=lambda line: print("   ", line, flush=True),
        )
        print(report, flush=True)
        reports.append(report)
    red = [report.seed for report in reports if report.violations]
    killed, acknowledged = sum(r.kills for r in reports), sum(r.acknowledged for r in reports)
    print(
        f"{runs} runs: {killed} kills, {acknowledged} events acknowledged,"
        f" {sum(r.duplicates for r in reports)} duplicates, "
        + (f"violations with seeds {red}" if red else "nothing lost")
    )
    return len(red)


async def _run_special(seed: int) -> int:
    """The precise cases, and every seeded bug; the number of those that ended as they should not."""
    failures = 0

    def tell(name: str, found: list[str], wanted: bool) -> None:
        nonlocal failures
        failures += bool(found) != wanted
        verdict = "as it should be" if bool(found) == wanted else "WRONG"
        print(f"{name}: {'red' if found else 'green'}, {verdict}", *found, sep="\n    ", flush=True)

    tell("zombie", await zombie.run(), False)
    tell("poison", (await poison.run(seed=seed))[0], False)
    tell("saboteur: leases ignored", await zombie.run(sabotage=LEASES_IGNORED), True)
    for saboteur in UNDER_FIRE:
        report = await trial.run(seed=seed, kills=6, saboteur=saboteur, drain_seconds=15)
        tell(f"saboteur: {saboteur.name}", report.violations, True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
