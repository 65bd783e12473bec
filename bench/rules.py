"""What an event costs by the number of rules: of rules of other types, which it should not meet, and of its own type.

Every project has one rule of the event's type, whose condition is not met, so that finding and evaluating is all that
is done; the others are copies of it. Projects with few and many rules are in one installation and send in turn. The
cost is processor time of worker and database; the time is what `tocsin_match_seconds` adds up, from reading a batch to
the commit of what was decided.
"""

import re
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from bench.arranged import add_rule
from bench.copies import copy_rule
from bench.events import TYPE
from bench.processes import cpu_seconds, spent
from bench.results import Line, middle, moved
from bench.run import Run
from bench.running import Installed, installed
from bench.sender import Schedule, Sent, send
from tests.client import Client, Project, sign_up

OTHER_TYPES = (10, 1_000, 10_000)
SAME_TYPE = (10, 200)
PER_SECOND = 400
BATCH = 4
BAR = 1.15
NOT_MET = "payload.amount > 100000.0"
_MATCH_SECONDS = re.compile(r"^tocsin_match_seconds_sum (\S+)$", re.MULTILINE)


class Ruled(NamedTuple):
    """A project, and how many of its rules an event meets."""

    project: Project
    met: int


class Cost(NamedTuple):
    """Microseconds an event: of both processors, and of matching. ``fault`` says why they count for nothing."""

    processor: float
    matching: float
    fault: str | None


async def measure(run: Run) -> list[Line]:
    """Ten thousand rules of other types against ten; two hundred of the same type against ten, for information."""
    run.tell("starting")
    async with installed(worker=True, broker=run.broker) as site:
        others = [await with_others(site, count) for count in OTHER_TYPES]
        same = [await with_same(site, count) for count in SAME_TYPE]
        for each in (*others, *same):
            await drive(site, each, 1)
        names = [f"{count:,} of other types" for count in OTHER_TYPES] + [f"{count} of its type" for count in SAME_TYPE]
        costs = await run.alternate(
            *(
                (name, partial(drive, site, each, run.seconds))
                for name, each in zip(names, [*others, *same], strict=True)
            )
        )
    return [
        *_lines("of other types", OTHER_TYPES, costs[: len(OTHER_TYPES)], BAR),
        *_lines("of the event's type", SAME_TYPE, costs[len(OTHER_TYPES) :], None),
    ]


async def with_others(site: Installed, count: int) -> Ruled:
    """A project with one rule that events meet, and so many of types that nobody sends."""
    return await _ruled(site, [f"other.{number}" for number in range(count)], met=1)


async def with_same(site: Installed, count: int) -> Ruled:
    """A project with so many rules, all met by every event."""
    return await _ruled(site, [TYPE] * (count - 1), met=count)


async def _ruled(site: Installed, types: list[str], met: int) -> Ruled:
    project = await sign_up(Client(site.project.key.http, site.api.url), "Ruled")
    rule = await add_rule(project, "realtime", condition=NOT_MET)
    await copy_rule(site, project, UUID(rule["id"]), types)
    await site.tidy()
    return Ruled(project, met)


async def drive(site: Installed, ruled: Ruled, seconds: float) -> Cost:
    """What an event of this project costs, on a schedule of some seconds."""
    pids = {name: pid for name, pid in site.pids.items() if name in ("worker", "database")}
    before, matched_before = cpu_seconds(pids), await _match_seconds(site)
    callers = [ruled.project.key.headers]
    sent = await send(Schedule(f"{site.api.url}/api/v1/events", callers, PER_SECOND, int(PER_SECOND * seconds), BATCH))
    await site.drained()
    used, matching = sum(spent(before, cpu_seconds(pids)).values()), await _match_seconds(site) - matched_before
    events = max(len(sent.accepted), 1)
    return Cost(used / events * 1e6, matching / events * 1e6, await _fault(site, ruled, sent))


async def _match_seconds(site: Installed) -> float:
    async with site.project.key.http.get(f"http://127.0.0.1:{site.metrics_port}/metrics") as answer:
        told = _MATCH_SECONDS.search(await answer.text())
    return float(told[1]) if told else 0.0


_MATCHED = """
SELECT count(*) FROM tocsin.events
WHERE project_id = $1 AND received_at >= $2 AND outcome = 'no_match' AND json_array_length(trace) = $3
"""


async def _fault(site: Installed, ruled: Ruled, sent: Sent) -> str | None:
    """Why it counts for nothing, or None: every accepted event has met the rules it should have, and no other."""
    began = datetime.fromtimestamp(sent.began, UTC)
    matched = await site.superuser.fetchval(_MATCHED, UUID(ruled.project.id), began, ruled.met)
    if matched == len(sent.accepted) and not sent.faults:
        return None
    return f"{len(sent.accepted):,} events were accepted, {len(sent.faults):,} not, and {matched:,} met their rules"


def _lines(what: str, counts: tuple[int, ...], costs: list[list[Cost]], bar: float | None) -> list[Line]:
    few, many = costs[0], costs[-1]
    processor = [middle([each.processor for each in rounds]) for rounds in costs]
    matching = [middle([each.matching for each in rounds]) for rounds in costs]
    fault = next((each.fault for rounds in costs for each in rounds if each.fault), None)
    ratio = f"{counts[-1]:,} rules {what} / {counts[0]}"
    details = {
        **{f"with {count:,}": value for count, value in zip(counts, processor, strict=True)},
        "series": {
            "over": f"rules {what}",
            "unit": "µs an event",
            "lines": {
                "processor, worker and database": list(zip(counts, processor, strict=True)),
                "matching": list(zip(counts, matching, strict=True)),
            },
        },
        "rounds": [each.processor for each in many],
        "floor rounds": [each.processor for each in few],
    }
    told = {f"with {count:,}": value for count, value in zip(counts, matching, strict=True)}
    void = fault or moved([each.processor for each in few])
    return [
        Line(f"processor, {ratio}", processor[-1], "µs", processor[0], bar, "most", void, details),
        Line(f"matching, {ratio}", matching[-1], "µs", matching[0], None, "most", fault, told),
    ]
