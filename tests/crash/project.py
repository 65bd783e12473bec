"""The project whose events flow: people, rules over realtime and webhook, the connection to the sink."""

from dataclasses import dataclass
from uuid import UUID

import aiohttp
import msgspec

from tests.client import Client, Project, sign_up
from tests.crash.installation import Installation
from tests.crash.sink import Sink
from tocsin.kit.db import Database
from tocsin.kit.ids import new_id
from tocsin.kit.vault import Vault

PEOPLE = 3
EVENT_TYPE = "order.created"

LARGE = 8_000
"""One order in five is worth more; nobody acknowledges it, so it comes again as often as it may."""

REPEAT = {"every_seconds": 1, "max_times": 2}
_INSISTS = {"requireAck": True, "repeat": {"everySeconds": 10, "maxTimes": 2}}
_HURRY = "UPDATE tocsin.rules SET repeat = $2 WHERE id = $1"
"""Sooner than the API lets anybody have it: a crash test does not wait."""

_CONNECTION = """
INSERT INTO tocsin.connections (project_id, id, env, provider, channel, owner, name, credentials, settings, status)
VALUES ($1, $2, 'live', 'webhook', 'webhook', 'project', 'Sink', $3, $4, 'active')
"""


@dataclass(frozen=True)
class Arranged:
    """A project ready for load, the number of people each of its rules tells, and the rule that insists."""

    project: Project
    people: int
    insisting: UUID


async def arranged(installation: Installation, sink: Sink, http: aiohttp.ClientSession) -> Arranged:
    project = await sign_up(Client(http, installation.apis[0].url), "Crash")
    people = [(await project.add_user())["id"] for _ in range(PEOPLE)]
    await _rule(project, people, "Orders", f"payload.amount < {LARGE}")
    insisting = await _rule(project, people, "Large orders", f"payload.amount >= {LARGE}", **_INSISTS)
    async with installation.sql() as connection:
        await connection.execute(_HURRY, insisting, msgspec.json.encode(REPEAT).decode())
    await _connect(installation, UUID(project.id), sink)
    return Arranged(project, PEOPLE, insisting)


async def _rule(project: Project, people: list[str], name: str, condition: str, **more: object) -> UUID:
    rule = {"name": name, "eventTypes": ["order.*"], "condition": condition, "targetUsers": people}
    words = {"title": "Order {{ payload.order }}", "message": "It is worth {{ payload.amount }}."}
    reply = await project.owner.post("/rules", {**rule, **words, "channels": ["realtime", "webhook"], **more})
    assert reply.status == 201, reply.json
    return UUID(reply.json["id"])


async def _connect(installation: Installation, project_id: UUID, sink: Sink) -> None:
    """The webhook connection, sealed with the project's own key."""
    id_ = new_id()
    db = Database(installation.site.app_url, ordinary=0, hot=1, statement_timeout="5s")
    await db.start()
    try:
        async with db.unit(project_id, "live") as connection:
            credentials = msgspec.json.encode({"secret": sink.secret}).decode()
            vault = Vault(installation.site.master)
            sealed = await vault.seal(connection, project_id, "connections", id_, "credentials", credentials)
            settings = msgspec.json.encode({"url": sink.url}).decode()
            await connection.execute(_CONNECTION, project_id, id_, sealed, settings)
    finally:
        await db.close()
