"""Hours of a wall clock over its changes: compared, minute by minute, with what the clocks of Python show (R4)."""

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.pipeline import Working

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

CHANGES = [
    ("Europe/Vienna", "2024-03-31"),
    ("Europe/Vienna", "2024-10-27"),
    ("America/New_York", "2024-03-10"),
    ("America/New_York", "2024-11-03"),
    ("Australia/Lord_Howe", "2024-04-07"),  # by half an hour
    ("Australia/Lord_Howe", "2024-10-06"),
    ("America/Sao_Paulo", "2018-02-18"),  # at midnight
    ("America/Sao_Paulo", "2018-11-04"),
    ("Africa/Casablanca", "2024-03-10"),  # back in spring, for Ramadan
    ("Africa/Casablanca", "2024-04-14"),
    ("Pacific/Apia", "2011-12-30"),  # a day that never was
    ("Asia/Tehran", "2022-03-22"),
    ("UTC", "2024-03-31"),
]
HOURS = [
    {"from": "22:00", "to": "07:00"},
    {"from": "22:00", "to": "02:15"},  # ends where most clocks jump, or show a time twice
    {"from": "02:15", "to": "07:00"},
    {"from": "01:45", "to": "02:30"},
    {"from": "23:30", "to": "00:30"},
    {"from": "00:00", "to": "00:00", "days": ["sat", "sun"]},
    {"from": "13:00", "to": "14:00", "days": ["sun"]},
]


class WallClock:
    """Every minute of some days, as the clock on a wall shows it."""

    def __init__(self, zone: str, day: str) -> None:
        middle = datetime.fromisoformat(day).replace(tzinfo=UTC)
        self.minutes = [middle - 12 * DAY + n * MINUTE for n in range(24 * 1440)]
        self.shown = [m.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for m in self.minutes]
        self.first: dict[datetime, int] = {}
        self.last: dict[datetime, int] = {}
        for place, shown in enumerate(self.shown):
            self.first.setdefault(shown, place)
            self.last[shown] = place

    def begins(self, wall: datetime) -> int:
        """The first minute that shows this time, or that shows a later one because it was left out."""
        return self.first.get(wall, self._after(wall))

    def ends(self, wall: datetime) -> int:
        return self.last.get(wall, self._after(wall))

    def _after(self, wall: datetime) -> int:
        return next(place for place, shown in enumerate(self.shown) if shown > wall)

    def quiet(self, hours: Any) -> list[bool]:
        """Of each minute, whether it lies within the hours of some day."""
        found = [False] * len(self.minutes)
        opens, closes = time.fromisoformat(hours["from"]), time.fromisoformat(hours["to"])
        for number in range(1, 22):
            day = self.shown[0].date() + number * DAY
            if DAYS[day.weekday()] in hours.get("days", DAYS):
                until = datetime.combine(day if closes > opens else day + DAY, closes)
                for place in range(self.begins(datetime.combine(day, opens)), self.ends(until)):
                    found[place] = True
        return found


@pytest.mark.parametrize("hours", HOURS, ids=str)
@pytest.mark.parametrize(("zone", "day"), CHANGES)
async def test_it_is_quiet_when_the_clock_on_the_wall_says_so(
    working: Working, zone: str, day: str, hours: dict[str, Any]
) -> None:
    clock = WallClock(zone, day)
    quiet = clock.quiet(hours)
    asked = range(10 * 1440, 14 * 1440, 15)
    expected = [clock.minutes[quiet.index(False, place)] if quiet[place] else None for place in asked]
    assert await answers(working, "quiet_until", hours, zone, [clock.minutes[place] for place in asked]) == expected


@pytest.mark.parametrize("hours", HOURS[:4], ids=str)
@pytest.mark.parametrize(("zone", "day"), CHANGES)
async def test_a_rule_is_at_work_again_when_its_hours_begin(
    working: Working, zone: str, day: str, hours: dict[str, Any]
) -> None:
    clock = WallClock(zone, day)
    active = clock.quiet(hours)
    asked = range(10 * 1440, 14 * 1440, 15)
    expected = [None if active[place] else clock.minutes[active.index(True, place)] for place in asked]
    assert await answers(working, "active_again", hours, zone, [clock.minutes[place] for place in asked]) == expected


async def answers(working: Working, function: str, hours: Any, zone: str, moments: list[datetime]) -> list[Any]:
    rows = await working.sql.fetch(
        f"SELECT tocsin.{function}($1::json, $2, m) AS at FROM unnest($3::timestamptz[]) WITH ORDINALITY AS a (m, n)"
        " ORDER BY n",
        *(json.dumps(hours), zone, moments),
    )
    return [row["at"] for row in rows]


async def test_a_zone_that_the_database_does_not_know_is_utc(working: Working) -> None:
    at = datetime(2024, 1, 1, 23, tzinfo=UTC)
    assert await answers(working, "quiet_until", HOURS[0], "Mars/Olympus", [at]) == [at + timedelta(hours=8)]
