"""The scenarios in plain sight, and the command that runs them."""

import argparse
import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import get_args

from rich.console import Console

from bench import (
    batch,
    bots,
    due,
    fanout,
    floods,
    growth,
    hang,
    idle,
    ingest,
    insist,
    latency,
    overload,
    plots,
    projects,
    rules,
    sockets,
    telling,
    walls,
    webhook,
)
from bench.machine import describe
from bench.results import RESULTS, Line, Report, latest
from bench.run import Run
from bench.running import Broker

SCENARIOS: dict[str, Callable[[Run], Awaitable[list[Line]]]] = {
    "idle": idle.measure,
    "ingest": ingest.measure,
    "batch": batch.measure,
    "latency": latency.measure,
    "webhook": webhook.measure,
    "projects": projects.measure,
    "rules": rules.measure,
    "fanout": fanout.measure,
    "sockets": sockets.measure,
    "floods": floods.measure,
    "hang": hang.measure,
    "bots": bots.measure,
    "due": due.measure,
    "overload": overload.measure,
    "walls": walls.measure,
    "telling": telling.measure,
    "insist": insist.measure,
    "growth": growth.measure,
}


def main() -> int:
    """0 when every bar is met, 1 when one is missed, 2 when a measurement is void."""
    arguments = _arguments()
    console = Console(stderr=True)
    machine = describe()
    for name, value in machine.items():
        console.print(f"[dim]{name:>10}[/] {value}", highlight=False)
    report = Report({**machine, "broker": arguments.broker}, quick=arguments.quick)
    for name in arguments.scenarios or SCENARIOS:
        with console.status(f"[bold]{name}[/]") as status:

            def tell(what: str, scenario: str = name) -> None:
                status.update(f"[bold]{scenario}[/]  {what}")

            run = Run(arguments.rounds, arguments.seconds, arguments.quick, tell, arguments.broker, arguments.events)
            report.add(name, _measured(SCENARIOS[name], run))
        report.write()
    if not arguments.quick:
        plots.draw(latest(), RESULTS)
    report.show(Console())
    return report.exit_code


def _measured(scenario: Callable[[Run], Awaitable[list[Line]]], run: Run) -> list[Line]:
    """Its figures; where it failed, a void line that says why, so that the others are measured all the same."""
    try:
        return asyncio.run(scenario(run))
    except Exception as error:  # noqa: BLE001 - whatever it was, the other scenarios are measured
        traceback.print_exc()
        return [Line("failed", 0, "", void=f"{type(error).__name__}: {error}")]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="Measure Tocsin against floors of the same run.")
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=f"of {', '.join(SCENARIOS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 3 s: to see that it works, not to quote")
    parser.add_argument("--rounds", type=int, help="times that floor and product alternate (5)")
    parser.add_argument("--seconds", type=float, help="length of one measurement (10)")
    parser.add_argument("--broker", choices=get_args(Broker), default="postgresql", help="between API and worker")
    parser.add_argument("--events", type=int, default=1_000_000, help="that growth fills a month with (1,000,000)")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenarios) - set(SCENARIOS):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (3.0 if arguments.quick else 10.0)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
