"""The long form: ``python -m tests.crash --runs 30 --seed 1 --kills 20``, half of the runs over Redis."""

import argparse
import asyncio
import sys
import time

from tests.crash import trial


def main() -> int:
    arguments = _arguments()
    return asyncio.run(_run_all(arguments.runs, arguments.seed, arguments.kills))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="of the first run")
    parser.add_argument("--kills", type=int, default=20, help="in each run")
    return parser.parse_args()


async def _run_all(runs: int, first_seed: int, kills: int) -> int:
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
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
