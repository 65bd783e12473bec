"""The project whose events flow: people, a rule over realtime and webhook, the connection to the sink."""

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

_CONNECTION = """
INSERT INTO tocsin.connections (project_id, id, env, provider, channel, owner, name, credentials, settings, status)
VALUES ($1, $2, 'live', 'webhook', 'webhook', 'project', 'Sink', $3, $4, 'active')
"""


@dataclass(frozen=True)
class Arranged:
    """A project ready for load, and the number of people its rule tells."""

    project: Project
    people: int


async def arranged(installation: Installation, sink: Sink, http: aiohttp.ClientSession) -> Arranged:
    project = await sign_up(Client(http, installation.apis[0].url), "Crash")
    people = [(await project.add_user())["id"] for _ in range(PEOPLE)]
    reply = await project.owner.post(
        "/rules",
        {
            "name": "Orders",
            "eventTypes": ["order.*"],
            "condition": "payload.amount >= 0",
            "targetUsers": people,
            "channels": ["realtime", "webhook"],
            "title": "Order {{ payload.order }}",
            "message": "It is worth {{ payload.amount }}.",
        },
    )
    assert reply.status == 201, reply.json
    await _connect(installation, UUID(project.id), sink)
    return Arranged(project, PEOPLE)


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
