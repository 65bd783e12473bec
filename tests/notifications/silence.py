"""Hours around the moment of a test, and people who wish something."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from tests.client import Client, Project
from tests.pipeline import deliveries_of, until


def hours(begin: int, end: int, zone: str = "UTC", **more: Any) -> dict[str, Any]:
    """From so many hours after now to so many, as a clock in that zone shows them."""
    now = datetime.now(UTC).astimezone(ZoneInfo(zone))
    return {"from": clock(now + timedelta(hours=begin)), "to": clock(now + timedelta(hours=end)), **more}


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


async def prefer(caller: Client, user_id: str, **wishes: Any) -> Any:
    reply = await caller.put(f"/users/{user_id}/preferences", wishes)
    assert reply.status == 200, reply.json
    return reply.json


async def settled(project: Project, event_id: str, channel: str = "email") -> Any:
    """The one delivery of an event on a channel, once it is sent, held or dropped."""

    async def look() -> Any:
        [found] = await deliveries_of(project.key, event_id, channel)
        return found if found["state"] not in ("queued", "leased") else None

    return await until(look)


async def fall_due(sql: asyncpg.Connection, *deliveries: Any) -> None:
    """Let the time pass until what is held may go."""
    ids = [each["id"] for each in deliveries]
    await sql.execute("UPDATE tocsin.deliveries SET due_at = now() WHERE id = ANY($1) AND state = 'held'", ids)


async def becomes(project: Project, delivery: Any, state: str) -> Any:
    async def look() -> Any:
        found = (await project.key.get(f"/deliveries/{delivery['id']}")).json
        return found if found["state"] == state else None

    return await until(look)
