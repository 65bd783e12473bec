"""What a look at a clock finds: which runs, about what period, and when to look again; time is given (R6)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tocsin.clocks.schedule import Clock, zone_named
from tocsin.clocks.stage import LONGEST_PERIOD, PEOPLE_AGAIN, Group, look

DAILY = Clock(time="02:30")
CHANGES = {
    "UTC": (datetime(2026, 3, 25), datetime(2026, 10, 22)),
    "Europe/Vienna": (datetime(2026, 3, 27), datetime(2026, 10, 23)),
    "America/New_York": (datetime(2026, 3, 6), datetime(2026, 10, 30)),
    "Australia/Lord_Howe": (datetime(2026, 10, 2), datetime(2026, 4, 3)),
    "Africa/Casablanca": (datetime(2026, 3, 20), datetime(2026, 2, 13)),
    "Asia/Tehran": (datetime(2021, 3, 20), datetime(2021, 9, 19)),
}


@pytest.mark.parametrize("zone", CHANGES)
def test_each_day_has_one_run_when_clocks_are_put_forward_and_back(zone: str) -> None:
    for begins in CHANGES[zone]:
        last = now = begins.replace(tzinfo=UTC)
        ends = now + timedelta(days=5)
        runs = []
        while now < ends:
            found, following = look(DAILY, [Group("everybody", zone)], last, now)
            runs += found
            last, now = now, min(following, now + timedelta(hours=7))
        days = [run.due.astimezone(zone_named(zone)).date() for run in runs]
        assert all(after - day == timedelta(days=1) for day, after in pairwise(days)), (zone, days)
        assert len(days) in (4, 5, 6)
        assert all(run.due == following.since for run, following in pairwise(runs)), "no time is told twice, or never"


def test_an_outage_of_a_week_is_one_run_for_a_week() -> None:
    last, now = datetime(2026, 5, 1, 3, tzinfo=UTC), datetime(2026, 5, 8, 9, tzinfo=UTC)
    [run], following = look(DAILY, [Group("everybody", "UTC")], last, now)
    assert (run.since, run.due) == (datetime(2026, 5, 1, 2, 30, tzinfo=UTC), datetime(2026, 5, 8, 2, 30, tzinfo=UTC))
    assert following == datetime(2026, 5, 9, 2, 30, tzinfo=UTC)


def test_a_period_is_bounded() -> None:
    last, now = datetime(2024, 1, 1, 3, tzinfo=UTC), datetime(2026, 5, 8, 9, tzinfo=UTC)
    [run], _ = look(DAILY, [Group("everybody", "UTC")], last, now)
    assert run.due - run.since == LONGEST_PERIOD


def test_a_look_that_finds_nothing_due_runs_nothing() -> None:
    last, now = datetime(2026, 5, 1, 3, tzinfo=UTC), datetime(2026, 5, 1, 4, tzinfo=UTC)
    assert look(DAILY, [Group("everybody", "UTC")], last, now) == ([], datetime(2026, 5, 2, 2, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("groups", "due"),
    [
        ([], []),
        ([("Europe/Vienna", None), ("Asia/Tokyo", None)], ["Europe/Vienna"]),
        ([("Europe/Vienna", "17:45"), ("Europe/Vienna", "18:00"), ("Europe/Vienna", "18:15")], ["Europe/Vienna"] * 2),
        ([("America/New_York", "12:00"), ("Asia/Tokyo", "01:00")], ["America/New_York", "Asia/Tokyo"]),
    ],
)
def test_whose_time_it_is_is_told(groups: list[tuple[str, Any]], due: list[str]) -> None:
    clock = Clock(time="18:00", timezone="recipient", daily_summary=True)
    last, now = datetime(2026, 5, 1, 15, 30, tzinfo=UTC), datetime(2026, 5, 1, 16, 0, 1, tzinfo=UTC)
    runs, following = look(clock, [Group("summary", *each) for each in groups], last, now)
    assert [run.group.zone for run in runs] == due
    assert now < following <= now + PEOPLE_AGAIN
