"""The installation that the tests of bots share, and what they do in it."""

import itertools
import time
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.client import Client, Project, Reply
from tests.connections.build import created
from tests.inbound.bots import bot_token
from tests.inbound.telegram.bot_api import BotApi, Known
from tests.pipeline import until
from tests.running import Site
from tocsin.channels.telegram import SECRET_HEADER

PUBLIC = "https://alerts.tocsin.example"

_numbers = itertools.count(1)
_people = itertools.count(500_000)


@dataclass
class Town:
    site: Site
    api: Client
    sql: asyncpg.Connection
    far: BotApi


@dataclass
class Bot:
    """A bot of a project, as Telegram sees it: ``known`` is what Telegram knows of it."""

    town: Town
    project: Project
    token: str
    known: Known
    id: str

    async def verify(self, **body: Any) -> Reply:
        return await self.project.key.post(f"/connections/{self.id}/verify", body or None)

    async def hear(self, **what: Any) -> int:
        """Have Telegram tell it something, and wait until that is worked on; the number of the update."""
        number = next(_numbers)
        assert (await self.told({"update_id": number, **what})).status == 200
        await until(lambda: self.ended(number))
        return number

    async def told(self, update: Any) -> Reply:
        """One call of Telegram's, as it was told to make it."""
        path = self.known.webhook["url"].removeprefix(f"{PUBLIC}/api/v1")
        headers = {SECRET_HEADER: self.known.webhook["secret_token"]}
        return await Client(self.town.api.http, self.town.api.base).post(path, update, **headers)

    async def ended(self, number: int) -> Any:
        return await self.town.sql.fetchrow(
            "SELECT state, last_error, attempts FROM tocsin.inbound_raw"
            " WHERE connection_id = $1 AND event_id = $2 AND state <> 'received'",
            self.id,
            str(number),
        )

    async def says(self, chat: int, text: str) -> int:
        """A person writes to it in private."""
        private = {"id": chat, "type": "private", "first_name": "Ann"}
        return await self.hear(
            message={"message_id": 1, "date": int(time.time()), "chat": private, "from": private, "text": text}
        )

    def answers(self, chat: int) -> list[str]:
        """What it has said in a chat."""
        return [said["text"] for said in self.known.of("sendMessage") if said["chat_id"] == chat]

    async def reachable(self, chat: int) -> str | None:
        state: str | None = await self.town.sql.fetchval(
            "SELECT state FROM tocsin.reachability"
            " WHERE connection_id = $1 AND address_hash = sha256(convert_to($2, 'UTF8'))",
            self.id,
            str(chat),
        )
        return state


async def new_bot(town: Town, project: Project, *, caller: Client | None = None, **fields: Any) -> Bot:
    """Made and not verified yet."""
    token = bot_token()
    known = town.far.know(token, f"{project.slug.replace('-', '_')}_{next(_numbers)}_bot")
    body = {"provider": "telegram", "name": "bot", "credentials": {"botToken": token}, **fields}
    made = created(await (caller or project.key).post("/connections", body))
    return Bot(town, project, token, known, made["id"])


async def verified_bot(town: Town, project: Project, **fields: Any) -> Bot:
    bot = await new_bot(town, project, **fields)
    reply = await bot.verify()
    assert reply.status == 200 and reply.json["status"] == "active", reply.json
    return bot


def new_chat() -> int:
    """The number of a person nobody has met yet; of their private chat, too."""
    return next(_people)


async def link_of(caller: Client, user: Any, **body: Any) -> str:
    """What stands behind ``?start=`` in a new link."""
    reply = await caller.post(f"/users/{user['id']}/addresses/telegram/link", body or None)
    assert reply.status == 201, reply.json
    return str(reply.json["url"].partition("?start=")[2])


async def linked(bot: Bot, user: Any) -> int:
    """The chat of a person who has opened their link."""
    chat = new_chat()
    await bot.says(chat, f"/start {await link_of(bot.project.key, user, connectionId=bot.id)}")
    return chat
