"""A channel of a chat tool that a project writes to, and its people who press buttons there."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import msgspec
from nacl.signing import SigningKey

from tests.channels.far_end import Asked, FarEnd
from tests.client import Client, Project, Reply
from tests.connections.build import created
from tests.inbound.chats.presses import discord_calls, slack_calls
from tests.pipeline import ended, make_rule, notified, send_event, until
from tests.running import Site

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
"""Of the app at Slack, as its documentation has it."""
CHANNEL = "345626669114982999"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Application:
    """One at Discord, all of which follows from its number."""

    number: int

    @property
    def id(self) -> str:
        return str(290926444748734465 + self.number)

    @property
    def token(self) -> str:
        return f"canary-of-a-bot-{self.number}"

    @property
    def key(self) -> SigningKey:
        return SigningKey(self.number.to_bytes(32, "big"))

    @property
    def public_key(self) -> str:
        return self.key.verify_key.encode().hex()


def new_application() -> Application:
    return Application(next(_numbers))


def as_discord_says(asked: Asked) -> tuple[int, str]:
    """Of its own calls; everybody else is told that it went well, as Slack does."""
    if asked.path == "/applications/@me":
        ours = Application(int(asked.headers["Authorization"].rpartition("-")[2]))
        return 200, msgspec.json.encode({"id": ours.id, "name": "Alarms", "verify_key": ours.public_key}).decode()
    if asked.path.startswith("/channels/"):
        return 200, f'{{"id": "{1187432916553650226 + next(_numbers)}", "name": "general"}}'
    return (400, "no_text") if asked.body == b"{}" else (200, "ok")


@dataclass
class Town:
    site: Site
    api: Client
    sql: asyncpg.Connection
    far: FarEnd


async def vouched(project: Project, person: Any, channel: str, value: str) -> None:
    """The project says whose address it is."""
    said = {"channel": channel, "value": value, "verified": True}
    reply = await project.key.post(f"/users/{person['id']}/addresses", said)
    assert reply.status == 201, reply.json


@dataclass
class Chat:
    """A connection to a channel, and the address at which its provider calls."""

    town: Town
    project: Project
    caller: Client
    connection: Any
    path: str
    application: Application | None = None

    async def told(self, **fields: Any) -> tuple[Any, Any]:
        """A notification that wants to be acknowledged, and what was posted of it."""
        before = len(self.town.far.asked)
        type_ = f"oven.hot{next(_numbers)}"
        await make_rule(self.project, self.connection["channel"], eventTypes=[type_], requireAck=True, **fields)
        event = await send_event(self.caller, type_, order=7)
        done = await ended(self.caller, event, self.connection["channel"])
        assert done["state"] == "delivered", done
        [asked] = [each for each in self.town.far.asked[before:] if each.method == "POST"]
        return await notified(self.caller, event), asked.json

    async def slack(self, payload: Any, key: str = SECRET, **how: Any) -> Reply:
        return await slack_calls(self.town.api, self.path, payload, key, **how)

    async def discord(self, payload: Any, key: SigningKey | None = None, **headers: str) -> Reply:
        assert self.application is not None
        mine = {**payload, "application_id": self.application.id}
        return await discord_calls(self.town.api, self.path, mine, key or self.application.key, **headers)

    async def changed(self, before: int) -> Asked:
        """The first answer to a press that the provider got since it had got so many calls; messages in channels are
        changed a little later as well."""

        async def look() -> Any:
            return [each for each in self.town.far.asked[before:] if not each.path.startswith("/channels/")]

        return (await until(look))[0]

    async def kept(self) -> list[Any]:
        query = "SELECT event_id, state, last_error, payload::text FROM tocsin.inbound_raw WHERE connection_id = $1"
        return list(await self.town.sql.fetch(query, self.connection["id"]))

    async def acknowledged(self, notification: Any) -> Any:
        """By whom, once somebody has."""

        async def look() -> Any:
            return (await self.caller.get(f"/notifications/{notification['id']}")).json["acknowledgedBy"]

        return await until(look)

    async def worked_on(self, name: str) -> Any:
        async def look() -> Any:
            return [row for row in await self.kept() if row["event_id"] == name and row["state"] != "received"]

        return (await until(look))[0]


async def slack_chat(town: Town, project: Project, caller: Client | None = None, secret: str | None = SECRET) -> Chat:
    credentials = {"webhookUrl": f"{town.far.url}/services/T0/B0/abcd", "signingSecret": secret}
    return await _chat(town, project, caller, provider="slack", credentials=credentials)


async def discord_chat(town: Town, project: Project, caller: Client | None = None, **body: Any) -> Chat:
    ours = new_application()
    credentials = {"botToken": ours.token, "publicKey": ours.public_key}
    body = {"provider": "discord_bot", "credentials": credentials, "settings": {"channelId": CHANNEL}, **body}
    return replace(await _chat(town, project, caller, **body), application=ours)


async def _chat(town: Town, project: Project, caller: Client | None, **body: Any) -> Chat:
    caller = caller or project.key
    made = created(await caller.post("/connections", {"name": f"chat {next(_numbers)}", "isDefault": True, **body}))
    reply = await caller.post(f"/connections/{made['id']}/verify")
    assert reply.status == 200, reply.json
    token = await town.sql.fetchval("SELECT token FROM tocsin.hooks WHERE connection_id = $1", made["id"])
    return Chat(town, project, caller, made, f"/hooks/{body['provider']}/{token}")
