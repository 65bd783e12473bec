"""The long form: ``python -m tests.crash --faults 3000 --seed 1``; ``make crash`` says it in short.

Faults come in rounds: a fresh installation, 40 faults, a calm end, the comparison. A round follows from its seed alone,
also whether it runs over Redis and whether its loops stumble, so ``--faults 40 --seed N`` repeats the round N.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.crash import points, totals, trial
from tests.crash.full_disk import CannotMount
from tests.crash.nemesis import Fault
from tests.crash.scenes import BUGS, SCENES
from tests.versions import NoHistory, version_before
from tocsin.kit.postgres import CannotStart

FAULTS_PER_ROUND = 40
LANES = 4
"""Installations mostly wait: for one that was killed to be back, for leases to run out."""
SECONDS_PER_FAULT = 4.5
SECONDS_PER_SCENE = 35.0
SCENE_LANES = 2
"""Fewer, because some scenes look at how soon something comes."""
OLD_EVERY = 4

console = Console()


def main() -> int:
    """0 when everything held and every planted bug was found."""
    return asyncio.run(_run(_arguments()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=100, help="faults in all; rounded up to whole rounds at the end")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000, help="of the first round")
    parser.add_argument("--lanes", type=int, default=LANES, help="installations side by side")
    parser.add_argument("--points", action="store_true", help="only the named points, every one of them")
    parser.add_argument("--only-faults", action="store_true", help="leave out the scenes and the planted bugs")
    parser.add_argument(
        "--old",
        type=Path,
        help="a checkout whose API and worker run beside the new ones in every round; without it, the version before"
        f" does in one round of {OLD_EVERY}",
    )
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> int:
    if arguments.points:
        return await _all_points(arguments.seed, arguments.lanes)
    red = await _all_rounds(arguments)
    return red if arguments.only_faults else red + await _all_scenes(arguments.seed)


async def _all_points(seed: int, lanes: int) -> int:
    cases = points.every()
    _expect(f"{len(cases)} cases", len(cases) * points.SECONDS_PER_CASE / lanes)
    async with _progress("points", len(cases)) as progress:

        def tell(outcome: points.Outcome) -> None:
            progress.advance(progress.task_ids[0])
            console.print(str(outcome), highlight=False, markup=False)

        outcomes = await points.run_all(cases, seed=seed, lanes=lanes, tell=tell)
    figures = totals.of_points(outcomes, seed)
    totals.keep("points", figures)
    console.print(f"{len(outcomes)} cases at {figures['points']} points, {len(figures['red'])} red; seed {seed}")
    return len(figures["red"])


async def _all_rounds(arguments: argparse.Namespace) -> int:
    """The number of rounds in which something did not hold; one more where all together made too many duplicates."""
    each = min(FAULTS_PER_ROUND, arguments.faults)
    rounds = -(-arguments.faults // each)
    seeds = iter(range(arguments.seed, arguments.seed + rounds))
    _expect(f"{rounds} rounds of {each} faults", rounds * each * SECONDS_PER_FAULT / min(arguments.lanes, rounds))
    reports: list[trial.Report] = []
    async with _progress("faults", rounds * each) as progress:

        def tell(_fault: Fault) -> None:
            progress.advance(progress.task_ids[0])

        async def work_off(before: Path | None) -> None:
            for seed in seeds:
                old = arguments.old or (before if seed % OLD_EVERY == OLD_EVERY - 1 else None)
                report = await _round(seed, each, old, tell)
                reports.append(report)
                console.print(f"round {len(reports)} of {rounds}: {report}", highlight=False, markup=False)
                if report.violations:
                    console.print(f"  again: {_again(seed, each, arguments.old)}", highlight=False, markup=False)
                totals.keep("faults", totals.of_rounds(reports))

        with _version_before() as before:
            async with asyncio.TaskGroup() as group:
                for _ in range(arguments.lanes):
                    group.create_task(work_off(before))
    figures = totals.of_rounds(reports)
    console.print(totals.sentence(figures), highlight=False)
    return len(figures["violations"]) + (not totals.few_duplicates(figures))


def _again(seed: int, faults: int, old: Path | None) -> str:
    """The command that repeats a round."""
    beside = f" --old {old}" if old else ""
    return f"python -m tests.crash --seed {seed} --faults {faults} --only-faults --lanes 1{beside}"


async def _round(seed: int, faults: int, old: Path | None, tell: Callable[[Fault], None]) -> trial.Report:
    """One round, or a red report of why there was none: one that does not begin ends no other."""
    redis, stumbling = seed % 2 == 1, seed // 2 % 2 == 1
    try:
        return await trial.run(seed=seed, faults=faults, redis=redis, stumbling=stumbling, old=old, tell=tell)
    except (TimeoutError, CannotStart) as reason:
        violations = [f"the round broke off: {reason}"]
        return trial.Report(
            seed, "redis" if redis else "postgres", stumbling, with_old=old is not None, violations=violations
        )


@contextmanager
def _version_before() -> Iterator[Path | None]:
    try:
        with version_before() as folder:
            yield folder
    except NoHistory as reason:
        console.print(f"No round beside the version before. {reason}")
        yield None


async def _all_scenes(seed: int) -> int:
    """Every scene, and every planted bug; the number of those that ended as they should not."""
    named = {**SCENES, **BUGS}
    _expect(f"{len(SCENES)} scenes and {len(BUGS)} planted bugs", len(named) * SECONDS_PER_SCENE / SCENE_LANES)
    told: dict[str, dict[str, Any]] = {}
    waiting = iter(named.items())

    async def work_off() -> None:
        for name, scene in waiting:
            try:
                found = await scene(seed)
            except CannotMount as reason:
                console.print(f"{name}: left out. {reason}")
                continue
            as_wanted = bool(found) == (name in BUGS)
            told[name] = {"found": found, "asItShouldBe": as_wanted}
            console.print(f"{name}: {'red' if found else 'green'}, {'as it should be' if as_wanted else 'WRONG'}")
            console.print(*(f"    {line}" for line in found), sep="\n", highlight=False, markup=False)

    async with asyncio.TaskGroup() as group:
        for _ in range(SCENE_LANES):
            group.create_task(work_off())
    totals.keep("scenes", {"seed": seed, "scenes": told})
    return sum(not scene["asItShouldBe"] for scene in told.values())


def _expect(what: str, seconds: float) -> None:
    console.print(f"{what}: about {seconds / 60:.0f} minutes on two quiet cores")


@asynccontextmanager
async def _progress(what: str, total: int) -> AsyncIterator[Progress]:
    """A bar on a terminal, nothing elsewhere: there the lines of the rounds are the progress."""
    columns = (TextColumn(f"[bold]{what}[/]"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        progress.add_task(what, total=total)
        yield progress


if __name__ == "__main__":
    sys.exit(main())
