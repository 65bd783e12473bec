"""Fifty quiet projects and two busier ones, while another floods in five ways, one after the other.

All of them send webhooks to a far end that answers at once, but for what hangs. A flood is over when the time that is
measured is: what it still owes then is counted, and called off before the next.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.far_end import FarEnd, far_end
from bench.ledger import fault_of_arrivals
from bench.population import FIRST, RETRY, ROLE, owe, populate
from bench.processes import cpu_seconds, spent
from bench.results import Line
from bench.run import Run
from bench.running import Installed, installed
from bench.streams import LEAD_SECONDS, MARKED, Kept, Stream, Timetable, keep
from bench.tenants import settle_in, sign_up_beside, steady
from bench.waits import held
from tests.client import Project
from tests.pipeline import make_rule

QUIET_PER_SECOND, NORMAL_PER_SECOND = 2, 20
FLOOD_AFTER = 1.0
"""Seconds into the time that is measured."""
SETTLE_SECONDS = 15.0
"""For the last of the others to arrive: what takes longer counts as lost."""
CALL_OFF_SECONDS = 150.0
"""Eight calls at a time that hang for fifteen seconds each, of those that have a lease."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many projects, how many seconds before and during each flood, and how large the floods are."""

    quiet: int = 50
    normal: int = 2
    before: int = 20
    during: int = 22
    events: int = 20_000
    hanging: int = 1_000
    hang_seconds: int = 15
    wide: int = 100
    people: int = 10_000
    due: int = 5_000
    retries: int = 100_000


QUICK = Sizes(
    quiet=10,
    before=4,
    during=6,
    events=4_000,
    hanging=200,
    hang_seconds=5,
    wide=5,
    people=2_000,
    due=1_000,
    retries=10_000,
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it happens, and the projects that should notice nothing."""

    place: Installed
    far: FarEnd
    sizes: Sizes
    run: Run
    quiet: list[Project]
    normal: list[Project]


@dataclass(frozen=True, slots=True)
class Flood:
    """``settle`` makes its project, which sends ``events`` at once or evenly, or owes ``due`` deliveries of a rank.

    ``events`` gives their number, how many a second, and how many to a request.
    """

    name: str
    settle: Callable[[Scene], Awaitable[Project]]
    events: Callable[[Sizes], tuple[int, float, int]] | None = None
    due: Callable[[Sizes], int] | None = None
    rank: int = FIRST


async def measure(run: Run) -> list[Line]:
    """For each flood the p99 of the quiet ones during it against before it, and of the normal ones beside."""
    run.tell("starting")
    async with installed(worker=True, broker=run.broker) as place, far_end() as far:
        return await measured(place, far, run, QUICK if run.quick else Sizes())


async def measured(
    place: Installed, far: FarEnd, run: Run, sizes: Sizes, floods: Sequence[Flood] | None = None
) -> list[Line]:
    """The same in an installation with a worker, which is left with the projects; all floods unless told which."""
    scene = Scene(place, far, sizes, run, [], [])
    for name, projects, count in (("Quiet", scene.quiet, sizes.quiet), ("Normal", scene.normal, sizes.normal)):
        for number in range(count):
            run.tell(f"{name.lower()} project {number + 1} of {count}")
            projects.append(await settle_in(place, name, far.url))
    await keep(_timetable(scene, 2))
    return [line for flood in floods or FLOODS for line in await _flooded(scene, flood)]


async def _flooded(scene: Scene, flood: Flood) -> list[Line]:
    place, sizes, tell = scene.place, scene.sizes, scene.run.tell
    tell(f"{flood.name}: preparing")
    flooder = await flood.settle(scene)
    await place.tidy()
    await scene.far.arrived()
    tell(f"{flood.name}: before it, {sizes.before} s")
    before = await keep(_timetable(scene, sizes.before))
    tell(f"{flood.name}: writing what will be due")
    await _will_be_due(scene, flooder, flood)
    tell(f"{flood.name}: {sizes.during} s")
    costs = cpu_seconds(place.pids)
    during = await keep(_timetable(scene, sizes.during, *_streams(flooder, flood, sizes)))
    costs = spent(costs, cpu_seconds(place.pids))
    others = {mark for kept in (before, during) for mark in kept.due if not mark.startswith("flood")}
    arrived = await _arrivals(scene, others)
    tell(f"{flood.name}: calling off the rest")
    done = await _states(place, flooder)
    await _call_off(place, flooder)
    fault = fault_of_arrivals(others, [mark for mark, _ in arrived])
    fault = fault or await fault_of_flood(scene, flooder, flood, len(during.of("flood").due))
    details = {
        **{f"flood's {state}": count for state, count in done.items()},
        **{f"% of a core, {part}": used / sizes.during * 100 for part, used in costs.items()},
    }
    return _lines(flood, before, during, dict(arrived), fault, details)


def _timetable(scene: Scene, seconds: float, *flood: Stream) -> Timetable:
    """Everybody's events; the names are new each time, so that marks are."""
    stamp = time.monotonic_ns()
    quiet = steady(f"quiet{stamp}x", scene.quiet, QUIET_PER_SECOND, seconds)
    normal = steady(f"normal{stamp}x", scene.normal, NORMAL_PER_SECOND, seconds)
    return Timetable(f"{scene.place.api.url}/api/v1", [*quiet, *normal, *flood])


def _streams(flooder: Project, flood: Flood, sizes: Sizes) -> list[Stream]:
    if flood.events is None:
        return []
    count, per_second, batch = flood.events(sizes)
    return [Stream("flood", dict(flooder.key.headers), per_second, count, FLOOD_AFTER, batch)]


async def _will_be_due(scene: Scene, flooder: Project, flood: Flood) -> None:
    """Returns so long before it is due as the flood begins after the time that is measured."""
    if flood.due is None:
        return
    count = flood.due(scene.sizes)
    due_at = datetime.now(UTC) + timedelta(seconds=6 + count / 10_000)
    titles = [f"flood-{number}" for number in range(count)]
    await owe(scene.place, flooder, titles, due_at, rank=flood.rank, attempts=int(flood.rank == RETRY))
    await scene.place.tidy()
    await asyncio.sleep(due_at.timestamp() - FLOOD_AFTER - LEAD_SECONDS - time.time())


async def _arrivals(scene: Scene, awaited: set[str]) -> list[tuple[str, float]]:
    """What has come, once all that is awaited has, or nothing more is waited for."""
    deadline, arrived = time.monotonic() + SETTLE_SECONDS, await scene.far.arrived()
    while awaited - {mark for mark, _ in arrived} and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        arrived += await scene.far.arrived()
    return arrived


async def _states(place: Installed, flooder: Project) -> dict[str, int]:
    """How many deliveries of a project are in each state."""
    query = "SELECT state, count(*) FROM tocsin.deliveries WHERE project_id = $1::text::uuid GROUP BY 1 ORDER BY 1"
    return dict(await place.superuser.fetch(query, flooder.id))


async def _call_off(place: Installed, flooder: Project) -> None:
    """Leave nothing to do of a flood: what waits is cancelled, what is under way comes to its end."""
    async with asyncio.timeout(CALL_OFF_SECONDS):
        while True:
            for query in _CANCEL:
                await place.superuser.execute(query, flooder.id)
            if not await place.superuser.fetchval(_UNDER_WAY, flooder.id):
                return
            await asyncio.sleep(0.5)


_OURS = "project_id = $1::text::uuid"
_CANCEL = (
    f"UPDATE tocsin.events SET state = 'failed', outcome = 'no_rule' WHERE {_OURS} AND state = 'received'",
    f"UPDATE tocsin.deliveries SET state = 'cancelled' WHERE {_OURS} AND state = 'queued'",
)
_UNDER_WAY = f"""
SELECT EXISTS (SELECT 1 FROM tocsin.events WHERE {_OURS} AND state IN ('received', 'leased'))
    OR EXISTS (SELECT 1 FROM tocsin.deliveries WHERE {_OURS} AND state IN ('queued', 'leased'))
"""


async def fault_of_flood(scene: Scene, flooder: Project, flood: Flood, accepted: int) -> str | None:
    """Why it does not balance that each of its events is there, and each notification with all its deliveries."""
    row = await scene.place.superuser.fetchrow(_COUNTS, flooder.id)
    owed = flood.due(scene.sizes) if flood.due else 0
    each = scene.sizes.people if flood.settle is _wide else 1
    if row["events"] != accepted:
        return f"{row['events']:,} events of the flood are there, and {accepted:,} were accepted"
    if row["notifications"] != row["processed"] + owed:
        return f"{row['notifications']:,} notifications of the flood for {row['processed'] + owed:,}"
    if row["deliveries"] != row["notifications"] * each:
        return f"{row['deliveries']:,} deliveries of the flood for {row['notifications'] * each:,}"
    return None


_COUNTS = f"""
SELECT (SELECT count(*) FROM tocsin.events WHERE {_OURS}) AS events,
    (SELECT count(*) FROM tocsin.events WHERE {_OURS} AND state = 'processed') AS processed,
    (SELECT count(*) FROM tocsin.notifications WHERE {_OURS}) AS notifications,
    (SELECT count(*) FROM tocsin.deliveries WHERE {_OURS}) AS deliveries
"""


def _lines(
    flood: Flood, before: Kept, during: Kept, times: dict[str, float], fault: str | None, details: dict[str, Any]
) -> list[Line]:
    quiet, normal = (
        held(f"{name}, {flood.name}", before.of(start), during.of(start), times, fault, barred=name == "quiet")
        for name, start in (("quiet", "quiet"), ("normal", "normal"))
    )
    quiet.details |= {**details, "faults": len(before.faults) + len(during.faults)}
    return [quiet, normal]


async def _to_the_far_end(scene: Scene) -> Project:
    return await settle_in(scene.place, "Flood", scene.far.url)


async def _to_what_hangs(scene: Scene) -> Project:
    return await settle_in(scene.place, "Flood", scene.far.after(scene.sizes.hang_seconds))


async def _wide(scene: Scene) -> Project:
    """One whose events all go to ten thousand people, over the sockets they might have."""
    project = await sign_up_beside(scene.place, "Wide")
    await populate(scene.place, project, scene.sizes.people)
    await make_rule(project, "realtime", targetRoles=[ROLE], **MARKED)
    return project


FLOODS = (
    Flood("20,000 events", _to_the_far_end, events=lambda sizes: (sizes.events, sizes.events / (sizes.during - 2), 50)),
    Flood("1,000 that hang", _to_what_hangs, events=lambda sizes: (sizes.hanging, 1_000, 100)),
    Flood("100 events to 10,000", _wide, events=lambda sizes: (sizes.wide, 1_000, 100)),
    Flood("5,000 due at once", _to_the_far_end, due=lambda sizes: sizes.due),
    Flood("100,000 retries at once", _to_the_far_end, due=lambda sizes: sizes.retries, rank=RETRY),
)
