"""Figures against their bars: the table that is printed and the JSON that is kept."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
LATEST = RESULTS / "latest.json"
MOST_SPREAD = 0.15
"""A floor, or the middle half of the ratios to it, that moved by more than this says that the machine was busy with
something else."""


class Line(msgspec.Struct, rename="camel"):
    """One figure. With a floor its ratio is held against the bar, without one the figure itself.

    ``bar`` is None for what is told for information. ``void`` says why the measurement counts for nothing. ``ratios``
    are those of each round, where figure and floor were measured right after each other: then their middle one counts,
    since a machine may change its speed from one minute to the next.
    """

    what: str
    measured: float
    unit: str
    floor: float | None = None
    bar: float | None = None
    bar_is: Literal["least", "most"] = "least"
    void: str | None = None
    details: dict[str, Any] = {}
    ratios: list[float] = []

    @property
    def ratio(self) -> float | None:
        if self.ratios:
            return median(self.ratios)
        return self.measured / self.floor if self.floor else None

    @property
    def verdict(self) -> Literal["void", "pass", "FAIL", ""]:
        if self.void:
            return "void"
        if self.bar is None:
            return ""
        held = self.measured if self.ratio is None else self.ratio
        met = held >= self.bar if self.bar_is == "least" else held <= self.bar
        return "pass" if met else "FAIL"


def middle(figures: list[float]) -> float:
    return median(figures)


def part_of(ordered: list[float], part: float) -> float:
    """The value that this part of all stays under; ``ordered`` rises and is not empty."""
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def spread(figures: list[float]) -> float:
    """How far apart the lowest and the highest are, as a part of the middle one."""
    return (max(figures) - min(figures)) / median(figures)


def moved(floor: list[float]) -> str | None:
    """Why a run over this floor is void, or None."""
    if spread(floor) <= MOST_SPREAD:
        return None
    return f"the floor moved by {spread(floor):.0%} between rounds"


def unsteady(ratios: list[float]) -> str | None:
    """Why a figure over a floor that was measured in turn with it is void, or None."""
    lower, middle_one, upper = quantiles(ratios, n=4, method="inclusive")
    apart = (upper - lower) / middle_one
    return None if apart <= MOST_SPREAD else f"the ratio moved by {apart:.0%} between rounds"


@dataclass
class Report:
    """Everything one run measured."""

    machine: dict[str, str]
    quick: bool
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    scenarios: dict[str, list[Line]] = field(default_factory=dict)

    def add(self, scenario: str, lines: list[Line]) -> None:
        self.scenarios[scenario] = lines

    @property
    def exit_code(self) -> int:
        verdicts = {line.verdict for lines in self.scenarios.values() for line in lines}
        return 2 if "void" in verdicts else 1 if "FAIL" in verdicts else 0

    def show(self, console: Console) -> None:
        table = Table("", "measured", "floor", "ratio", "bar", "", box=None, pad_edge=False, header_style="dim")
        for column in table.columns[1:5]:
            column.justify = "right"
        for scenario, lines in self.scenarios.items():
            table.add_row(f"[bold]{scenario}[/]")
            for line in lines:
                table.add_row(*_cells(line))
                if notes := _notes(line):
                    table.add_row(f"    [dim]{notes}[/]")
        console.print(table)
        if self.quick:
            console.print("[yellow]A quick run: enough to see that it works, not to quote.[/]")

    def write(self) -> None:
        """A file under the time of the run. Of what may be quoted also ``latest.json``, where each scenario stays as it
        was measured last, with the time and the machine of that."""
        RESULTS.mkdir(exist_ok=True)
        told = self._as_json()
        _write(RESULTS / f"{self.began:%Y-%m-%dT%H%M%SZ}.json", told)
        if not self.quick:
            _write(LATEST, {**latest(), **told})

    def _as_json(self) -> dict[str, Any]:
        over = " over redis" if self.machine.get("broker") == "redis" else ""
        return {
            f"{name}{over}": {
                "at": self.began,
                "quick": self.quick,
                "machine": self.machine,
                "lines": [
                    {**msgspec.to_builtins(line), "ratio": line.ratio, "verdict": line.verdict} for line in lines
                ],
            }
            for name, lines in self.scenarios.items()
        }


def latest() -> dict[str, Any]:
    """What ``latest.json`` holds: by scenario its time, its machine and its lines."""
    return dict(msgspec.json.decode(LATEST.read_bytes())) if LATEST.exists() else {}


def _write(path: Path, told: dict[str, Any]) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")


def _cells(line: Line) -> list[str]:
    colour = {"pass": "green", "FAIL": "bold red", "void": "yellow"}.get(line.verdict, "")
    sign = "≥" if line.bar_is == "least" else "≤"
    return [
        f"  {line.what}",
        f"{figure(line.measured)} {line.unit}",
        figure(line.floor) if line.floor is not None else "",
        f"{line.ratio:.3f}" if line.ratio is not None else "",
        f"{sign} {line.bar:g}" if line.bar is not None else "",
        f"[{colour}]{line.verdict}[/]" if colour else "",
    ]


def _notes(line: Line) -> str:
    parts = [line.void] if line.void else []
    parts += [f"{name} {figure(value)}" for name, value in line.details.items() if isinstance(value, int | float)]
    return ", ".join(parts)


def figure(value: float) -> str:
    """To three places that count, or to the unit."""
    return f"{value:,.0f}" if abs(value) >= 1_000 or value == int(value) else f"{value:,.3g}"
