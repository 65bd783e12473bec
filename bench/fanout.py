"""One event that ten thousand people hear of: how soon all of it is durable, and how soon the last one has it."""

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID

from bench.crowd import Crowd, crowd, signing_secret
from bench.events import PAYLOAD, TYPE
from bench.population import ROLE, populate
from bench.processes import cpu_seconds, spent
from bench.results import Line, middle
from bench.run import Run
from bench.running import Installed, installed
from bench.streams import MARKED
from tests.pipeline import make_rule

PEOPLE, QUICK_PEOPLE = 10_000, 1_000
ROUNDS, QUICK_ROUNDS = 7, 3
BAR = 2.0
MOST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Told:
    """Of one event: seconds from its sending until all was durable, and until the last person's socket had it."""

    event_id: UUID
    durable: float
    heard: float


async def measure(run: Run) -> list[Line]:
    """Events one after the other, each when nothing else waits."""
    run.tell("starting")
    async with installed(worker=True, broker=run.broker) as place:
        return await measured(place, run, QUICK_PEOPLE if run.quick else PEOPLE, QUICK_ROUNDS if run.quick else ROUNDS)


async def measured(place: Installed, run: Run, people: int, rounds: int) -> list[Line]:
    """The same in an installation with a worker, which is left with a role, a rule and the people."""
    ids = await populate(place, place.project, people)
    await make_rule(place.project, "realtime", targetRoles=[ROLE], **MARKED)
    secret = await signing_secret(place.project)
    await place.tidy()
    async with crowd(place, f"private-user-{ids[-1]}", secret) as listening:
        await listening.open(1)
        await _told(place, listening, "warm")
        before, told = cpu_seconds(place.pids), []
        for number in range(rounds):
            run.tell(f"one event to {people:,}, round {number + 1} of {rounds}")
            told.append(await _told(place, listening, f"round {number}"))
        costs = spent(before, cpu_seconds(place.pids))
    fault = await fault_of(place, told, people)
    durable, heard = [each.durable for each in told], [each.heard for each in told]
    details = {
        "slowest": max(durable),
        "rounds": durable,
        **{f"CPU s a round, {part}": used / rounds for part, used in costs.items()},
    }
    return [
        Line(f"one event to {people:,}, all durable", middle(durable), "s", None, BAR, "most", fault, details),
        Line("the last of them hears it", middle(heard), "s", void=fault, details={"slowest": max(heard)}),
    ]


async def _told(place: Installed, listening: Crowd, mark: str) -> Told:
    began = time.time()
    reply = await place.project.key.post("/events", {"type": TYPE, "payload": {**PAYLOAD, "mark": mark}})
    if reply.status != 202:
        raise RuntimeError(f"the event was refused: {reply.json}")
    event_id = UUID(reply.json["id"])
    durable = await _processed(place, event_id) - began
    [heard] = await listening.heard(mark, 1, MOST_SECONDS)
    return Told(event_id, durable, heard - began)


async def _processed(place: Installed, event_id: UUID) -> float:
    """When everything that follows from an event was seen: its state is written in the same transaction, or after."""
    query = "SELECT state = 'processed' FROM tocsin.events WHERE id = $1 AND project_id = $2"
    async with asyncio.timeout(MOST_SECONDS):
        while not await place.superuser.fetchval(query, event_id, place.project_id):
            await asyncio.sleep(0.005)
    return time.time()


async def fault_of(place: Installed, told: list[Told], people: int) -> str | None:
    """Why it does not balance that every person has each of these events once, delivered and in their feed."""
    for name, query in _COUNTS.items():
        for event in told:
            found = await place.superuser.fetchval(query, place.project_id, event.event_id)
            if found != people:
                return f"{found:,} {name} of an event for {people:,}"
    return None


_OF_EVENT = "SELECT n.id FROM tocsin.notifications n WHERE n.project_id = $1 AND n.event_id = $2"
_COUNTS = {
    "people": f"""SELECT count(DISTINCT (r.user_id, r.feed_seq)) FROM tocsin.notification_recipients r
        WHERE r.project_id = $1 AND r.notification_id IN ({_OF_EVENT})""",
    "deliveries": f"""SELECT count(*) FROM tocsin.deliveries d
        WHERE d.project_id = $1 AND d.state = 'sent' AND d.notification_id IN ({_OF_EVENT})""",
}
