"""When clocks run, also where the clocks on the wall are put forward and back (R6)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.clocks.schedule import Clock, instant, last_run, next_run, problem_of, zone_named

ZONES = (
    "UTC",
    "Europe/Vienna",
    "America/New_York",
    "Australia/Lord_Howe",  # by half an hour
    "Africa/Casablanca",  # back in Ramadan, and forward after it
    "America/Sao_Paulo",  # at midnight, until 2019
    "Pacific/Apia",  # a whole day was left out in 2011
    "Asia/Tehran",  # at midnight, by a calendar of its own, until 2022
    "Antarctica/Troll",  # by two hours
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "line", "after", "run"),
    [
        ("UTC", "30 2 * * *", "2026-03-28T12:00Z", "2026-03-29T02:30Z"),
        ("Europe/Vienna", "30 2 * * *", "2026-03-28T12:00Z", "2026-03-29T03:00+02:00"),
        ("America/New_York", "30 2 * * *", "2026-03-07T12:00Z", "2026-03-08T03:00-04:00"),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00Z", "2026-10-04T02:30+11:00"),
        ("Africa/Casablanca", "30 2 * * *", "2026-03-21T12:00Z", "2026-03-22T03:00+01:00"),
        ("America/Sao_Paulo", "0 0 * * *", "2018-11-03T12:00Z", "2018-11-04T01:00-02:00"),
        ("Pacific/Apia", "0 8 * * *", "2011-12-29T20:00Z", "2011-12-31T00:00+14:00"),
        ("Asia/Tehran", "30 0 * * *", "2021-03-21T12:00Z", "2021-03-22T01:00+04:30"),
        ("Antarctica/Troll", "15 1 * * *", "2026-03-28T12:00Z", "2026-03-29T03:00+02:00"),
    ],
)
def test_a_time_that_does_not_exist_is_the_next_minute_that_does(zone: str, line: str, after: str, run: str) -> None:
    found = next_run(line, ZoneInfo(zone), moment(after))
    assert found == moment(run)
    assert last_run(line, ZoneInfo(zone), moment(run)) == found


@pytest.mark.parametrize(
    ("zone", "line", "first", "following"),
    [
        ("Europe/Vienna", "30 2 * * *", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),
        ("America/New_York", "30 1 * * *", "2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"),
        ("Africa/Casablanca", "30 2 * * *", "2026-02-15T02:30+01:00", "2026-02-16T02:30+00:00"),
        ("America/Sao_Paulo", "30 23 * * *", "2018-02-17T23:30-02:00", "2018-02-18T23:30-03:00"),
        ("Asia/Tehran", "30 23 * * *", "2021-09-21T23:30+04:30", "2021-09-22T23:30+03:30"),
    ],
)
def test_a_time_that_exists_twice_runs_once(zone: str, line: str, first: str, following: str) -> None:
    where = ZoneInfo(zone)
    assert next_run(line, where, moment(first) - timedelta(minutes=1)) == moment(first)
    assert next_run(line, where, moment(first)) == moment(following)
    for minutes in (30, 60, 75, 90):
        assert last_run(line, where, moment(first) + timedelta(minutes=minutes)) == moment(first)


def test_days_and_zones_count_as_on_the_wall() -> None:
    mondays = Clock(time="08:00", days=("mon",)).line()
    assert next_run(mondays, ZoneInfo("Pacific/Apia"), moment("2026-03-01T00:00Z")) == moment("2026-03-01T19:00Z")
    assert next_run(mondays, ZoneInfo("America/New_York"), moment("2026-03-02T12:59Z")) == moment("2026-03-02T13:00Z")
    assert Clock(time="08:00").line("17:45") == "45 17 * * *"


def test_who_moved_to_a_zone_that_is_gone_goes_by_utc() -> None:
    assert zone_named("Nowhere/Atlantis").key == "UTC"


@pytest.mark.parametrize("line", ["0 8 * * 1-5", "*/5 * * * *", "0 0 29 2 *", "0 0 * 2 mon#5", "0 9 L * *"])
def test_what_cron_can_say_can_be_a_clock(line: str) -> None:
    assert problem_of(line) is None


@pytest.mark.parametrize("line", ["", "8:00", "* * * * *", "0,2 8 * * *", "0 0 31 2 *", "0 0 30 2 *", "* * * * * *"])
def test_what_is_never_or_too_often_cannot(line: str) -> None:
    assert problem_of(line) is not None


def test_a_daily_run_comes_once_on_each_day_of_forty_years() -> None:
    for zone in ZONES:
        where, at = ZoneInfo(zone), datetime(1999, 12, 31, tzinfo=UTC)
        days = []
        while at.year < 2040:
            run = next_run("30 2 * * *", where, at)
            assert run is not None
            days.append(run.astimezone(where).date())
            at = run
        gaps = {(after - before).days for before, after in pairwise(days)}
        assert gaps == {0, 1, 2} if zone == "Pacific/Apia" else gaps == {1}, zone


@settings(max_examples=300, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    at=st.datetimes(datetime(2009, 1, 1), datetime(2038, 1, 1), timezones=st.just(UTC)),
    line=st.sampled_from(["30 2 * * *", "0 0 * * *", "*/15 * * * *", "15 1 * * sun", "0 8 1 * *", "59 23 * * 6"]),
)
def test_the_last_run_and_the_next_one_have_none_between(zone: str, at: datetime, line: str) -> None:
    where = ZoneInfo(zone)
    last, following = last_run(line, where, at), next_run(line, where, at)
    assert last is not None and following is not None
    assert last <= at < following
    assert next_run(line, where, last) == following
    assert last_run(line, where, following - timedelta(microseconds=1)) == last


@settings(max_examples=300, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    wall=st.datetimes(datetime(2009, 1, 1), datetime(2038, 1, 1)).map(lambda at: at.replace(second=0, microsecond=0)),
)
def test_the_clock_on_the_wall_shows_what_was_asked_or_has_jumped_over_it(zone: str, wall: datetime) -> None:
    where = ZoneInfo(zone)
    moment = instant(wall, where)
    shown = moment.astimezone(where).replace(tzinfo=None, fold=0)
    assert shown >= wall
    if shown > wall:
        assert (moment - timedelta(seconds=1)).astimezone(where).replace(tzinfo=None, fold=0) < wall
