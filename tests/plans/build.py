"""Projects on plans, and counters as they stand."""

import asyncio
import json
from typing import Any

import asyncpg

from tests.client import Client, Project, Reply
from tocsin.plans.unlimited import REMEMBERED_SECONDS


async def put_on(sql: asyncpg.Connection, project: Project, plan: str, **overrides: Any) -> None:
    """Put a project on a plan; ``quotas={...}``, ``features={...}`` and ``overage=True`` are overrides."""
    await sql.execute(
        "UPDATE tocsin.projects SET plan = $2, overrides = $3 WHERE id = $1",
        project.id,
        plan,
        json.dumps(overrides) if overrides else None,
    )


async def in_force() -> None:
    """Until a limit counts for who had none: a process may have remembered for so long that there was none."""
    await asyncio.sleep(REMEMBERED_SECONDS + 0.1)


async def counters(sql: asyncpg.Connection, project: Project) -> dict[str, int]:
    rows = await sql.fetch("SELECT quota, used FROM tocsin.quota_counters WHERE project_id = $1", project.id)
    return {row["quota"]: row["used"] for row in rows}


async def stored(sql: asyncpg.Connection, project: Project, env: str = "live") -> int:
    """How many events of its clients a project has."""
    count: int = await sql.fetchval(
        "SELECT count(*) FROM tocsin.events WHERE project_id = $1 AND env = $2 AND NOT internal", project.id, env
    )
    return count


async def send(caller: Client, client_event_id: str | None = None, **payload: Any) -> Reply:
    body = {"type": "order.created", "payload": payload}
    return await caller.post("/events", {**body, **({"clientEventId": client_event_id} if client_event_id else {})})


async def send_batch(caller: Client, *client_event_ids: str | None) -> Any:
    """The results of a batch of events, one for each of these ids."""
    events = [
        {"type": "order.created", "payload": {"n": 1}, **({"clientEventId": id_} if id_ else {})}
        for id_ in client_event_ids
    ]
    reply = await caller.post("/events/batch", {"events": events})
    assert reply.status == 202, reply.json
    return reply.json["results"]
