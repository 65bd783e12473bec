"""Endpoints of projects under test, and what they heard."""

from typing import Any

import msgspec

from tests.client import Client, Project
from tests.endpoint import Call, Endpoint
from tests.pipeline import until


async def listen(project: Project, served: Endpoint, *types: str, caller: Client | None = None, **fields: Any) -> Any:
    """Make this an endpoint of the project, for these types or for everything."""
    body = {"url": served.url, "eventTypes": list(types) or ["*"], **fields}
    reply = await (caller or project.owner).post("/webhook-endpoints", body)
    assert reply.status == 201, reply.json
    served.secret = reply.json["secret"]
    return reply.json


def body_of(call: Call) -> Any:
    return msgspec.json.decode(call.body)


async def heard(served: Endpoint, count: int = 1, seconds: float = 15) -> list[Any]:
    """The bodies that came in, once there are so many."""

    async def look() -> list[Call]:
        return served.calls if len(served.calls) >= count else []

    return [body_of(call) for call in await until(look, seconds)]


async def logged(project: Project, count: int = 1, **filters: Any) -> list[Any]:
    """The log's messages, newest first, once there are so many of that kind."""

    async def look() -> list[Any]:
        reply = await project.owner.get("/webhook-logs", limit=200, **filters)
        assert reply.status == 200, reply.json
        return reply.json["items"] if len(reply.json["items"]) >= count else []

    return await until(look)


async def entry(project: Project, log_id: str) -> Any:
    reply = await project.owner.get(f"/webhook-logs/{log_id}")
    assert reply.status == 200, reply.json
    return reply.json


async def endpoint_of(project: Project, made: Any) -> Any:
    """An endpoint as it stands."""
    reply = await project.owner.get(f"/webhook-endpoints/{made['id']}")
    assert reply.status == 200, reply.json
    return reply.json
