"""A hundred thousand notifications that insist: what they cost while they wait, and how late they are when due."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bench.processes import cpu_seconds, spent
from bench.results import Line, part_of
from bench.run import Run
from bench.running import Installed, installed
from tests.client import Project
from tocsin.kit.ids import new_id
from tocsin.worker import ANYWAY_SECONDS

WAITING, QUICK_WAITING = 100_000, 5_000
PER_SECOND, QUICK_PER_SECOND = 1_000, 200
SECONDS, QUICK_SECONDS = 20, 4
IDLE_PARTS = 3
IDLE_SECONDS, QUICK_IDLE_SECONDS = IDLE_PARTS * ANYWAY_SECONDS, 6.0
SETTLE_SECONDS = 20
EVERY_SECONDS = 3_600
MADE_BEFORE = timedelta(hours=3)
BAR_MS, BAR_RATIO = 1_000.0, 1.2


async def measure(run: Run) -> list[Line]:
    """The lateness of a thousand a second, and what the clock costs while all wait over while none does."""
    sizes = (WAITING, PER_SECOND, SECONDS, IDLE_SECONDS)
    quick = (QUICK_WAITING, QUICK_PER_SECOND, QUICK_SECONDS, QUICK_IDLE_SECONDS)
    async with installed(worker=True, broker=run.broker) as place:
        return await measured(place, run, *(quick if run.quick else sizes))


async def measured(place: Installed, run: Run, waiting: int, per_second: int, seconds: int, idle: float) -> list[Line]:
    """The same in any installation with a worker."""
    run.tell("nothing waits")
    await asyncio.sleep(0 if run.quick else SETTLE_SECONDS)
    await place.tidy()
    floor = await _idle(place, idle)
    due = per_second * seconds
    begins = datetime.now(UTC) + timedelta(seconds=idle + 15 + waiting / 10_000)
    times = [begins + timedelta(seconds=number / per_second) for number in range(due)]
    later = [begins + timedelta(hours=2)] * (waiting - due)
    run.tell(f"writing {waiting:,} that insist")
    await _insisting(place, place.project, [*times, *later])
    await place.tidy()
    run.tell(f"{waiting:,} wait")
    cost = await _idle(place, idle)
    if datetime.now(UTC) > begins:
        return [Line("repeats, how late", 0, "ms", void="writing them took until they were due")]
    await asyncio.sleep((begins - datetime.now(UTC)).total_seconds())
    run.tell(f"{per_second:,} a second fall due")
    before = cpu_seconds(place.pids)
    await asyncio.sleep(seconds + 3)
    used = spent(before, cpu_seconds(place.pids))
    late = await place.superuser.fetchval(_LATE, begins, timedelta(seconds=EVERY_SECONDS)) or []
    void = None if len(late) == due else f"{len(late):,} of {due:,} came again"
    details = {"median": part_of(late, 0.5), "the latest": part_of(late, 1.0)} if late else {}
    costs = {f"CPU µs each, {part}": value / due * 1e6 for part, value in used.items()}
    shares = {f"% of a core, {part}": value for part, value in cost.items()}
    return [
        Line(
            f"{per_second:,} repeats a second, 99 of 100 are no later than",
            part_of(late, 0.99) if late else 0.0,
            "ms",
            bar=BAR_MS,
            bar_is="most",
            void=void,
            details={**details, **costs},
        ),
        Line(
            f"clock while {waiting:,} wait / while none does",
            sum(cost.values()),
            "% of a core",
            sum(floor.values()),
            BAR_RATIO,
            "most",
            details=shares,
        ),
    ]


async def _idle(place: Installed, seconds: float) -> dict[str, float]:
    """Per cent of a core that worker and database take while nothing is due, in the middle one of three parts of the
    time: once in a while something counts what is new, which is not the clock. Once a minute all stages look anyway,
    which costs some 70 ms, so a part lasts as long as it takes to meet that once."""
    pids = {part: place.pids[part] for part in ("worker", "database")}
    await asyncio.sleep(2)
    parts = []
    for _ in range(IDLE_PARTS):
        before = cpu_seconds(pids)
        await asyncio.sleep(seconds / IDLE_PARTS)
        used = spent(before, cpu_seconds(pids))
        parts.append({part: each / seconds * IDLE_PARTS * 100 for part, each in used.items()})
    return sorted(parts, key=lambda part: sum(part.values()))[IDLE_PARTS // 2]


_INSISTENCE = (
    *("project_id", "env", "notification_id", "rank", "personal", "instant"),
    *("every_seconds", "most_times", "repeats_at", "steps", "due_at"),
)


async def _insisting(place: Installed, project: Project, times: Sequence[datetime]) -> None:
    """A notification for each time, which was told to the owner's sockets and comes again then. They are as old as what
    waits for long: once a minute all that was made in the last two hours is counted, whether it waits or not."""
    project_id, owner = UUID(project.id), UUID(project.signed_up["user"]["id"])
    ids = [_made_before() for _ in times]
    tables: dict[str, tuple[tuple[str, ...], list[tuple[object, ...]]]] = {
        "notifications": (
            ("project_id", "id", "env", "title", "message", "priority", "require_ack"),
            [(project_id, id_, "live", "Seen to?", "", "normal", True) for id_ in ids],
        ),
        "notification_recipients": (
            ("project_id", "notification_id", "user_id", "env", "feed_seq", "reason"),
            [(project_id, id_, owner, "live", seq, "role") for seq, id_ in enumerate(ids, start=1)],
        ),
        "deliveries": (
            ("project_id", "id", "env", "notification_id", "user_id", "channel", "rank", "state"),
            [(project_id, _made_before(), "live", id_, owner, "realtime", 2, "sent") for id_ in ids],
        ),
        "insistences": (
            _INSISTENCE,
            [
                (project_id, "live", id_, 2, "[]", ["realtime"], EVERY_SECONDS, 9, at, "[]", at)
                for id_, at in zip(ids, times, strict=True)
            ],
        ),
    }
    for table, (columns, records) in tables.items():
        await place.superuser.copy_records_to_table(
            table, schema_name="tocsin", columns=columns, records=records, timeout=300
        )


def _made_before() -> UUID:
    return UUID(int=new_id().int - (int(MADE_BEFORE.total_seconds() * 1000) << 80))


# A repeat keeps the rhythm, so the time it was due at is one period before the next one.
_LATE = """
SELECT array_agg(extract(epoch FROM d.sent_at - (i.repeats_at - $2::interval))::float * 1000
    ORDER BY d.sent_at - (i.repeats_at - $2::interval))
FROM tocsin.deliveries d JOIN tocsin.insistences i USING (project_id, notification_id)
WHERE d.round = 1 AND d.sent_at >= $1
"""
