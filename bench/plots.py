"""The newest figures as pictures: ``python -m bench.plots`` draws ``latest.json``, or the file it is given.

``bars.svg`` shows how far every figure is from its bar, ``latency.svg`` how long events took, ``scale.svg`` what more
projects and rules cost. What was not measured is left out.
"""

import math
import sys
from pathlib import Path
from typing import Any

import matplotlib
import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.results import LATEST, RESULTS, figure

BLUE, PALE_BLUE, RED, INK, PALE = "#2563eb", "#93c5fd", "#dc2626", "#1f2937", "#e5e7eb"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": PALE,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": PALE,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
    # The same figures give the same bytes, so that a change of the file is a change of the figures.
    "svg.hashsalt": "tocsin",
}

Scenarios = dict[str, list[dict[str, Any]]]


def draw(told: dict[str, Any], folder: Path) -> list[Path]:
    """One file for each picture that there are figures for."""
    scenarios = {name: scenario["lines"] for name, scenario in told.items()}
    written = []
    with matplotlib.rc_context(STYLE):
        pictures = {"bars": _bars(scenarios), "latency": _latency(scenarios), "scale": _scale(scenarios)}
        for name, picture in pictures.items():
            if picture is not None:
                written.append(folder / f"{name}.svg")
                picture.savefig(written[-1], metadata={"Date": None}, bbox_inches="tight", pad_inches=0.2)
    return written


def _bars(scenarios: Scenarios) -> Figure | None:
    """Each figure with a bar as a multiple of it, so that to the right of the line is better whatever it measures."""
    rows = [(name, line) for name, lines in scenarios.items() for line in lines if line["bar"] is not None]
    rows = [(name, line) for name, line in rows if line["verdict"] != "void" and _held(line) > 0]
    if not rows:
        return None
    picture = Figure(figsize=(9, 1.1 + 0.34 * len(rows)))
    axes = picture.subplots()
    places = range(len(rows) - 1, -1, -1)
    for place, (_, line) in zip(places, rows, strict=True):
        margin, colour = _margin(line), BLUE if line["verdict"] == "pass" else RED
        axes.plot([1, margin], [place, place], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot(margin, place, "o", color=colour, markersize=6)
        axes.annotate(
            f" {_reading(line)} ",
            (max(margin, 1), place),  # to the left of the line it would run into the names
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=colour,
        )
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_yticks(list(places), [f"{name}: {line['what']}" for name, line in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    margins = [_margin(line) for _, line in rows]
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(0.5, min(margins) / 2), max(2.0, max(margins) * 3))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.set_title("How far each figure is from its bar (right of the line is better)")
    return picture


def _latency(scenarios: Scenarios) -> Figure | None:
    curves = [line["details"]["curve"] for lines in scenarios.values() for line in lines if "curve" in line["details"]]
    if not curves:
        return None
    picture = Figure(figsize=(8, 4.2))
    axes = picture.subplots()
    palette = matplotlib.colormaps["viridis"]
    for number, curve in enumerate(curves):
        shares, taken = zip(*[(share, ms) for share, ms in curve["points"] if share < 1], strict=True)
        colour = palette(0.85 * number / max(len(curves) - 1, 1))
        axes.plot([_nines(share) for share in shares], taken, color=colour, linewidth=2, label=curve["name"])
    ticks = (0.5, 0.9, 0.99, 0.999)
    axes.set_xticks([_nines(share) for share in ticks], ["half", "9 of 10", "99 of 100", "999 of 1,000"])
    axes.set_xlim(0, _nines(0.999))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("milliseconds")
    axes.set_xlabel("of all events stayed under")
    axes.legend(loc="upper left")
    axes.set_title("From the time an event was due to be sent until it arrived")
    return picture


def _scale(scenarios: Scenarios) -> Figure | None:
    """Cost against number, a panel for each kind of thing that there can be more of."""
    found = [line["details"].get("series") for lines in scenarios.values() for line in lines]
    panels = [series for series in found if series]
    if not panels:
        return None
    picture = Figure(figsize=(4.2 * len(panels), 3.6), layout="constrained")
    for axes, series in zip(picture.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _panel(axes, series)
    return picture


def _panel(axes: Axes, series: dict[str, Any]) -> None:
    for colour, (name, points) in zip((BLUE, PALE_BLUE), series["lines"].items(), strict=False):
        counts, values = zip(*points, strict=True)
        axes.plot(counts, values, "o-", color=colour, linewidth=2, label=name)
        axes.annotate(figure(values[-1]), (counts[-1], values[-1]), (0, 7), textcoords="offset points", ha="center")
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.margins(x=0.12)
    axes.set_ylim(0, 1.3 * max(value for points in series["lines"].values() for _, value in points))
    axes.set_ylabel(series["unit"])
    axes.legend(loc="best")
    axes.set_title(series["over"])


def _nines(share: float) -> float:
    """Where a share stands on the axis: every further nine takes as much room as the one before."""
    return -math.log10(1 - share)


def _held(line: dict[str, Any]) -> float:
    """What is held against the bar."""
    return float(line["measured"] if line["floor"] is None else line["ratio"])


def _margin(line: dict[str, Any]) -> float:
    """How many times better than its bar a figure is."""
    part = _held(line) / float(line["bar"])
    return part if line["barIs"] == "least" else 1 / part


def _reading(line: dict[str, Any]) -> str:
    unit = f" {line['unit']}" if line["floor"] is None else ""
    sign = "≥" if line["barIs"] == "least" else "≤"
    return f"{figure(_held(line))}{unit}  (bar {sign} {figure(line['bar'])}{unit})"


if __name__ == "__main__":
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else LATEST
    for path in draw(msgspec.json.decode(source.read_bytes()), RESULTS):
        print(path)
