"""Whether it matters to a project how many others there are: event to webhook, at one rate in all.

Three installations stand side by side, with 10, 1,000 and 10,000 projects. All of each send in turn; every one has its
own key, rule and connection. The installations are driven one after the other, round after round, so that all meet
the same moods of the machine.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.arranged import add_rule, add_webhook
from bench.arrivals import fault, latencies
from bench.copies import copy_project
from bench.far_end import FarEnd, far_end
from bench.processes import cpu_seconds, spent
from bench.results import Line, middle, moved, part_of
from bench.run import Run
from bench.running import Broker, Installed, installed
from bench.sender import Schedule, send

COUNTS = (10, 1_000, 10_000)
PER_SECOND = 200
MEETING_PER_SECOND, MEETINGS = 100, 6
MEETING_SECONDS = 300.0
BAR = 1.2
SETTLE_SECONDS = 60.0


@dataclass
class Crowd:
    """An installation in which these callers, one of each project, take turns. ``faults`` says why it is void."""

    site: Installed
    far: FarEnd
    callers: list[dict[str, str]]
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds of every event, the shortest first, and processor seconds by part."""

    taken: list[float]
    cpu_seconds: dict[str, float]


async def measure(run: Run) -> list[Line]:
    """The median and the 99th of 100 in the largest crowd, with the smallest as floor."""
    async with AsyncExitStack() as opened:
        crowds = [await crowd(run.tell, run.broker, count, opened) for count in COUNTS]
        for each in crowds:
            run.tell(f"an event of each of {len(each.callers):,} projects")
            await meet(each)
        rounds = await run.alternate(
            *(
                (f"{len(each.callers):,} projects", partial(drive, each, int(PER_SECOND * run.seconds)))
                for each in crowds
            )
        )
        found = "; ".join(said for each in crowds for said in each.faults)
    return _lines(rounds, found or None)


async def crowd(tell: Any, broker: Broker, count: int, opened: AsyncExitStack) -> Crowd:
    """A new installation with so many projects."""
    tell(f"making {count:,} projects")
    site = await opened.enter_async_context(installed(worker=True, broker=broker))
    far = await opened.enter_async_context(far_end())
    await add_webhook(site.project, far.url)
    await add_rule(site.project, "webhook")
    callers = [site.project.key.headers, *await copy_project(site, count - 1)]
    await site.tidy()
    return Crowd(site, far, callers)


async def meet(crowd: Crowd) -> None:
    """An event of every project, so that the API knows each key and the worker each connection.

    A key that is new to a process costs it a bcrypt, and it refuses more than some at once: those come again.
    """
    waiting = crowd.callers
    for _ in range(MEETINGS):
        sent = await send(Schedule(f"{crowd.site.api.url}/api/v1/events", waiting, MEETING_PER_SECOND, len(waiting)))
        accepted = frozenset(sent.accepted)
        waiting = [caller for number, caller in enumerate(waiting) if number not in accepted]
        if not waiting:
            break
    else:
        crowd.faults.append(f"{len(waiting):,} projects were refused {MEETINGS} times")
    await crowd.site.drained(MEETING_SECONDS)
    await crowd.site.settled(MEETING_SECONDS)
    await crowd.site.tidy()


async def drive(crowd: Crowd, count: int) -> Round:
    """So many events, from one project after the other; the next round goes on where this one ended."""
    site, far, callers = crowd.site, crowd.far, crowd.callers
    await far.arrivals()
    before = cpu_seconds(site.pids)
    schedule = Schedule(f"{site.api.url}/api/v1/events", callers, PER_SECOND, count)
    sent = await send(schedule)
    await far.called(len(sent.accepted), SETTLE_SECONDS)
    await site.settled()
    arrived = await far.arrivals()
    crowd.callers = callers[count % len(callers) :] + callers[: count % len(callers)]
    crowd.faults += [*filter(None, [fault(sent, arrived)]), *sent.faults[:1]]
    return Round(latencies(schedule, sent, arrived), spent(before, cpu_seconds(site.pids)))


def _lines(rounds: list[list[Round]], unbalanced: str | None) -> list[Line]:
    few, many = rounds[0], rounds[-1]
    void = unbalanced or moved([part_of(each.taken, 0.5) for each in few])
    ordered = [sorted(taken for each in results for taken in each.taken) for results in rounds]
    details = {
        **{f"p50 of {count:,}": part_of(taken, 0.5) for count, taken in zip(COUNTS, ordered, strict=True)},
        **{f"p99 of {count:,}": part_of(taken, 0.99) for count, taken in zip(COUNTS, ordered, strict=True)},
        **{f"µs {name} of {COUNTS[0]}": value for name, value in _microseconds(few).items()},
        **{f"µs {name} of {COUNTS[-1]:,}": value for name, value in _microseconds(many).items()},
        "series": {
            "over": "projects that send in turn",
            "unit": "ms from event to webhook",
            "lines": {
                name: [(count, _middle_part(results, share)) for count, results in zip(COUNTS, rounds, strict=True)]
                for name, share in (("median", 0.5), ("99 of 100", 0.99))
            },
        },
    }
    what = f"event to call with {COUNTS[-1]:,} projects / with {COUNTS[0]}"
    return [
        Line(f"{what}, median", *_pair(few, many, 0.5), BAR, "most", void, details),
        Line(f"{what}, 99 of 100", *_pair(few, many, 0.99), void=void),
    ]


def _pair(few: list[Round], many: list[Round], share: float) -> tuple[float, str, float]:
    return _middle_part(many, share), "ms", _middle_part(few, share)


def _middle_part(rounds: list[Round], share: float) -> float:
    """The middle one of what this share stayed under in each round, so that one bad moment decides nothing."""
    return middle([part_of(each.taken, share) for each in rounds])


def _microseconds(rounds: list[Round]) -> dict[str, float]:
    """Processor time per event, by part."""
    events = sum(len(each.taken) for each in rounds)
    return {name: sum(each.cpu_seconds[name] for each in rounds) / events * 1e6 for name in rounds[0].cpu_seconds}
