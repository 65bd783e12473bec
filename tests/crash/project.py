"""The project whose events flow: people, rules over realtime and webhook, the connection to the sink."""

from dataclasses import dataclass
from uuid import UUID

import aiohttp

from tests.client import Client, Project, sign_up
from tests.crash.installation import Installation
from tests.crash.sink import Sink
from tocsin.kit.db import Database, json_text
from tocsin.kit.ids import new_id
from tocsin.kit.vault import Vault

PEOPLE = 3
EVENT_TYPE = "order.created"
MOST = 10_000
"""That an order is worth."""

SMALL = 400
"""Whoever has not seen an order that is worth less is told by e-mail in turn, and nobody sees one here."""

MIDDLING = 800
"""E-mails about orders between the two are gathered."""

LARGE = 8_000
"""One order in five is worth more; nobody acknowledges it, so it comes again as often as it may."""

REPEATS = 2
_INSISTS = {"requireAck": True, "repeat": {"everySeconds": 10, "maxTimes": REPEATS}}
_IN_TURN = {"channels": ["realtime", "email"], "channelOrder": {"afterSeconds": 10}}
_GATHERED = {"channels": ["realtime", "webhook", "email"], "digest": {"windowSeconds": 10}}
_HURRY = """
UPDATE tocsin.rules SET repeat = (repeat::jsonb || '{"every_seconds": 1}')::json,
    digest = (digest::jsonb || '{"window_seconds": 1}')::json,
    channel_order = (channel_order::jsonb || '{"after_seconds": 1}')::json
WHERE project_id = $1
"""
"""Sooner than the API lets anybody have it: a crash test does not wait."""

_CONNECTION = """
INSERT INTO tocsin.connections (project_id, id, env, provider, channel, owner, name, credentials, settings, status)
VALUES ($1, $2, 'live', $3, $4, 'project', 'Sink', $5, $6, 'active')
"""


@dataclass(frozen=True)
class Arranged:
    """A project ready for load, the number of people each of its rules tells, and its rules that take time."""

    project: Project
    people: int
    insisting: UUID
    in_turn: UUID
    gathered: UUID


async def arranged(installation: Installation, sink: Sink, http: aiohttp.ClientSession) -> Arranged:
    project = await sign_up(Client(http, installation.apis[0].url), "Crash")
    people = [(await project.add_user())["id"] for _ in range(PEOPLE)]
    await _rule(project, people, "Orders", MIDDLING, LARGE)
    insisting = await _rule(project, people, "Large orders", LARGE, MOST + 1, **_INSISTS)
    in_turn = await _rule(project, people, "Small orders", 0, SMALL, **_IN_TURN)
    gathered = await _rule(project, people, "Middling orders", SMALL, MIDDLING, **_GATHERED)
    async with installation.sql() as connection:
        await connection.execute(_HURRY, UUID(project.id))
    await _connect(installation, UUID(project.id), sink)
    return Arranged(project, PEOPLE, insisting, in_turn, gathered)


async def _rule(project: Project, people: list[str], name: str, least: int, below: int, **more: object) -> UUID:
    condition = f"payload.amount >= {least} && payload.amount < {below}"
    rule = {"name": name, "eventTypes": ["order.*"], "condition": condition, "targetUsers": people}
    words = {"title": "Order {{ payload.order }}", "message": "It is worth {{ payload.amount }}."}
    reply = await project.owner.post("/rules", {**rule, **words, "channels": ["realtime", "webhook"], **more})
    assert reply.status == 201, reply.json
    return UUID(reply.json["id"])


async def _connect(installation: Installation, project_id: UUID, sink: Sink) -> None:
    """The connections to the sink, sealed with the project's own key."""
    mail = {"host": "127.0.0.1", "port": sink.mail_port, "security": "none", "fromAddress": "orders@shop.example"}
    db = Database(installation.site.app_url, ordinary=0, hot=1, statement_seconds=5)
    await db.start()
    try:
        async with db.unit(project_id, "live") as connection:
            for provider, channel, settings, credentials in (
                ("webhook", "webhook", {"url": sink.url}, {"secret": sink.secret}),
                ("smtp", "email", mail, {}),
            ):
                id_ = new_id()
                sealed = await Vault(installation.site.master).seal(
                    connection, project_id, "connections", id_, "credentials", json_text(credentials)
                )
                await connection.execute(_CONNECTION, project_id, id_, provider, channel, sealed, json_text(settings))
    finally:
        await db.close()
