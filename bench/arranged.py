"""What a project is given before it is measured: a rule as people write them, and a webhook to call."""

from typing import Any

from bench.events import TYPE
from tests.client import Client, Project


async def add_rule(project: Project, channel: str, **fields: Any) -> Any:
    """A rule for the owner, with a condition and templates. Its title is the number of the event."""
    rule = {
        "name": "Large orders",
        "eventTypes": [TYPE],
        "condition": "payload.amount > 1000.0",
        "targetRoles": ["owner"],
        "channels": [channel],
        "title": "{{ payload.number }}",
        "message": "{{ payload.customer.name }} ordered for {{ payload.amount }} {{ payload.currency }}",
        **fields,
    }
    return await _made(project.key, "/rules", rule, 201)


async def add_webhook(project: Project, url: str) -> Any:
    """A verified connection, which sends."""
    hook = {"provider": "webhook", "name": "The far end", "settings": {"url": url}}
    made = await _made(project.key, "/connections", hook, 201)
    await _made(project.key, f"/connections/{made['id']}/verify", None, 200)
    return made


async def _made(caller: Client, path: str, body: Any, status: int) -> Any:
    reply = await caller.post(path, body)
    if reply.status != status:
        raise RuntimeError(f"{path} was refused: {reply.json}")
    return reply.json
