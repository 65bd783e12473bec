"""The way out as tests walk it: rules, events, and waiting until a worker has done its part."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

from tests.client import Client, Project
from tests.nameserver import Nameserver
from tests.running import Process, Site
from tocsin.kit.broker import project_key
from tocsin.kit.ids import PLATFORM_ID

T = TypeVar("T")

ENDED = ("sent", "delivered", "read", "failed", "suppressed", "dropped", "captured")

_numbers = itertools.count(1)


@dataclass
class Working:
    """A running installation: one API with sockets, one worker, and its database past all walls."""

    site: Site
    process: Process
    api: Client
    sql: asyncpg.Connection
    dns: Nameserver | None = None


async def until(look: Callable[[], Awaitable[T]], seconds: float = 15) -> T:
    """What ``look`` finds, once it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := await look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still waiting after {seconds:g} s")
        await asyncio.sleep(0.02)
    return found


async def checked(sql: asyncpg.Connection, connection_id: str) -> None:
    """The worker has checked the connection once more, as it does every quarter of an hour."""
    count = "SELECT count(*) FROM tocsin.connection_checks WHERE connection_id = $1"
    before = await sql.fetchval(count, connection_id)
    await sql.execute("UPDATE tocsin.connections SET next_check_at = now() WHERE id = $1", connection_id)

    async def looked() -> bool:
        await wake(sql, "checks")
        return bool(await sql.fetchval(count, connection_id) > before)

    await until(looked, 30)


async def wake(sql: asyncpg.Connection, stage: str) -> None:
    """Tells the worker that there is something for a stage, as a process that wrote it would have done."""
    await sql.execute("SELECT pg_notify('tocsin', $1)", f"1\n{project_key(PLATFORM_ID, 'wake', stage)} ")


async def make_rule(project: Project, *channels: str, **fields: Any) -> Any:
    """A rule of the owner's, for every event type unless said otherwise."""
    body = {"name": f"Rule {next(_numbers)}", "eventTypes": ["*"], "title": "Order {{ payload.order }}", **fields}
    reply = await project.owner.post("/rules", {**body, **({"channels": list(channels)} if channels else {})})
    assert reply.status == 201, reply.json
    return reply.json


async def send_event(caller: Client, type_: str = "order.created", /, **payload: Any) -> str:
    reply = await caller.post("/events", {"type": type_, "payload": payload})
    assert reply.status == 202, reply.json
    return str(reply.json["id"])


async def send_events(caller: Client, *payloads: dict[str, Any], type_: str = "order.created") -> list[str]:
    reply = await caller.post("/events/batch", {"events": [{"type": type_, "payload": each} for each in payloads]})
    assert reply.status == 202, reply.json
    return [each["id"] for each in reply.json["results"]]


async def story(caller: Client, event_id: str, seconds: float = 15) -> Any:
    """The event as GET /events/:id tells it, once its rules have run."""

    async def processed() -> Any:
        reply = await caller.get(f"/events/{event_id}")
        if reply.status == 503:  # where a test has cut the API's connections
            return None
        assert reply.status == 200, reply.json
        return reply.json if reply.json["processedAt"] else None

    return await until(processed, seconds)


async def notified(caller: Client, event_id: str) -> Any:
    """The one notification of an event."""
    told = await story(caller, event_id)
    assert told["outcome"] == "notified", told
    [id_] = told["notifications"]
    reply = await caller.get(f"/notifications/{id_}")
    assert reply.status == 200, reply.json
    return reply.json


async def delivery_of(caller: Client, event_id: str, channel: str = "webhook") -> Any:
    """The one delivery of an event on a channel, as it stands."""
    [found] = await deliveries_of(caller, event_id, channel)
    return found


async def deliveries_of(caller: Client, event_id: str, channel: str | None = None) -> list[Any]:
    (id_,) = (await story(caller, event_id))["notifications"]
    reply = await caller.get("/deliveries", notificationId=id_, limit=200, **({"channel": channel} if channel else {}))
    assert reply.status == 200, reply.json
    return list(reply.json["items"])


async def ended(caller: Client, event_id: str, channel: str = "webhook", seconds: float = 15) -> Any:
    """The one delivery of an event on a channel, once nothing more will happen to it."""

    async def look() -> Any:
        found = await delivery_of(caller, event_id, channel)
        return found if found["state"] in ENDED else None

    return await until(look, seconds)


async def tried(caller: Client, event_id: str, times: int, channel: str = "webhook") -> Any:
    """The same once it has failed so often and waits for the next time."""

    async def look() -> Any:
        found = await delivery_of(caller, event_id, channel)
        attempts = found["attempts"]
        return found if len(attempts) >= times and attempts[-1]["nextDueAt"] == found["dueAt"] else None

    return await until(look)


async def waits(caller: Client, event_id: str, reason: str, channel: str = "webhook") -> Any:
    """The same once it waits for this reason."""

    async def look() -> Any:
        found = await delivery_of(caller, event_id, channel)
        return found if found["lastError"] == reason else None

    found = await until(look)
    assert found["state"] == "queued", found
    return found


async def fall_due(sql: asyncpg.Connection, delivery: Any) -> None:
    """Let the time pass until a delivery's next attempt."""
    done = await sql.execute(
        "UPDATE tocsin.deliveries SET due_at = now() WHERE id = $1 AND state = 'queued'", delivery["id"]
    )
    assert done == "UPDATE 1", "it does not wait"
