"""What a run leaves behind: a file of its own, its part of ``latest.json``, and pictures of that."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench import plots, results
from bench.arrivals import curve
from bench.results import Line, Report

MACHINE = {"machine": "two cores", "broker": "postgresql"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where results are kept, with a run of two scenarios behind it."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(results, "LATEST", tmp_path / "latest.json")
    report = Report(MACHINE, quick=False)
    report.add("idle", [Line("processor", 1.5, "%", bar=2, bar_is="most")])
    report.add("ingest", [Line("with keys", 300, "/s", floor=1_000, bar=0.35)])
    report.write()
    return tmp_path


def latest(folder: Path) -> Any:
    return msgspec.json.decode((folder / "latest.json").read_bytes())


def test_a_figure_is_kept_with_floor_ratio_bar_and_verdict(folder: Path) -> None:
    line = latest(folder)["ingest"]["lines"][0]
    assert {name: line[name] for name in ("measured", "floor", "ratio", "bar", "verdict")} == {
        "measured": 300,
        "floor": 1_000,
        "ratio": 0.3,
        "bar": 0.35,
        "verdict": "FAIL",
    }


def test_a_later_run_replaces_what_it_measured_and_nothing_else(folder: Path) -> None:
    report = Report(MACHINE, quick=False)
    report.add("ingest", [Line("with keys", 400, "/s", floor=1_000, bar=0.35)])
    report.write()
    assert [line["verdict"] for name in ("idle", "ingest") for line in latest(folder)[name]["lines"]] == [
        "pass",
        "pass",
    ]


def test_the_same_over_redis_stands_beside_it(folder: Path) -> None:
    report = Report({**MACHINE, "broker": "redis"}, quick=False)
    report.add("ingest", [Line("with keys", 400, "/s")])
    report.write()
    assert list(latest(folder)) == ["idle", "ingest", "ingest over redis"]


def test_a_quick_run_replaces_nothing(folder: Path) -> None:
    report = Report(MACHINE, quick=True)
    report.add("ingest", [Line("with keys", 400, "/s")])
    report.write()
    assert latest(folder)["ingest"]["lines"][0]["measured"] == 300


def test_pictures_show_what_was_measured_and_come_out_alike(folder: Path) -> None:
    series = {"over": "rules", "unit": "µs", "lines": {"matching": [(10, 100.0), (200, 900.0)]}}
    report = Report(MACHINE, quick=False)
    report.add("latency", [Line("median", 5, "ms", bar=6, bar_is="most", details={"curve": curve("x", [1.0, 9.0])})])
    report.add("rules", [Line("processor", 100, "µs", details={"series": series})])
    report.write()
    first = [path.read_bytes() for path in plots.draw(latest(folder), folder)]
    second = [path.read_bytes() for path in plots.draw(latest(folder), folder)]
    assert len(first) == 3
    assert first == second


def test_a_picture_of_what_was_not_measured_is_left_out(folder: Path) -> None:
    assert [path.name for path in plots.draw(latest(folder), folder)] == ["bars.svg"]
