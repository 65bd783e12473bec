"""When a clock runs: pure functions of a clock, a zone and a moment.

A clock goes by the time on the wall. A time that does not exist on a day, because clocks are put forward, is the next
minute that does; one that exists twice, because they are put back, is the first of the two.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError

SHORTEST_GAP = timedelta(minutes=5)
"""Between two runs of a clock."""

_LONGEST_FOLD = timedelta(hours=3)
"""By which clocks are put back at most; the most that any zone has now is two hours."""
_RUNS_LOOKED_AT = 61


class Clock(msgspec.Struct, frozen=True):
    """A time on some days, or a line of cron; ``timezone`` is a zone's name, ``project`` or ``recipient``.

    With ``daily_summary`` it runs for the people who have theirs switched on, at the time that each of them chose.
    """

    time: str | None = None
    days: tuple[str, ...] | None = None
    cron: str | None = None
    timezone: str = "project"
    daily_summary: bool = False

    @property
    def by_person(self) -> bool:
        return self.timezone == "recipient"

    def line(self, time: str | None = None) -> str:
        """As a line of cron; ``time`` is the one that somebody chose instead."""
        if self.cron is not None:
            return self.cron
        hour, _, minute = (time or self.time or "00:00").partition(":")
        days = ",".join(self.days) if self.days else "*"
        return f"{int(minute)} {int(hour)} * * {days}"


def problem_of(line: str) -> str | None:
    """What is wrong with a line of cron, in words; None when it can be a clock."""
    if len(line.split()) != 5:
        return "is no line of cron: minute, hour, day of the month, month, day of the week"
    begins = datetime(2024, 1, 1)
    try:
        runs = list(islice(CronSim(line, begins), _RUNS_LOOKED_AT))
    except CronSimError as error:
        return f"is no line of cron: {error}"
    if not runs:
        return "is never"
    if any(after - before < SHORTEST_GAP for before, after in pairwise(runs)):
        return f"is more often than every {SHORTEST_GAP.seconds // 60} minutes"
    return None


def next_run(line: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first run later than a moment, in UTC; None where there will be none in the next fifty years."""
    for wall in _walk(line, _wall(after, zone)):
        moment = instant(wall, zone)
        if moment > after:
            return moment
    return None


def last_run(line: str, zone: ZoneInfo, at: datetime) -> datetime | None:
    """The latest run at a moment or before, in UTC; None where there was none in the last fifty years."""
    # In the second of two equal hours the wall shows less than it did at runs of the first.
    begins = _wall(at, zone) + _LONGEST_FOLD + timedelta(seconds=1)
    for wall in _walk(line, begins, back=True):
        moment = instant(wall, zone)
        if moment <= at:
            return moment
    return None


def _walk(line: str, begins: datetime, *, back: bool = False) -> Iterator[datetime]:
    return CronSim(line, begins, reverse=back)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clock on the wall shows this time first; where it never does, when it shows the next one."""
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(moment, zone) == wall.replace(fold=0):
        return moment
    return _put_forward(wall, zone)


def _put_forward(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which clocks jumped over a time: between what it is by the offset before and by that after."""
    late = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if _wall(middle, zone) < wall:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


@lru_cache(1_000)
def zone_named(name: str) -> ZoneInfo:
    """The zone of a name; UTC for one that this machine does not know any more."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
