"""Bots of projects, and Telegram calling about them as it does."""

import itertools
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.client import Client, Reply
from tests.connections.build import created
from tests.running import Site
from tocsin.channels.telegram import SECRET_HEADER
from tocsin.kit.vault import Vault

_numbers = itertools.count(1)


def bot_token() -> str:
    """One that nobody else has; its beginning is the bot's id."""
    return f"{7_000_000 + next(_numbers)}:AAcanary0123456789ab-0123456789abcd"


@dataclass
class Bot:
    """A connection of a project to a bot, and what Telegram knows of it."""

    connection: Any
    api: Client
    path: str
    secret: str

    async def update(self, body: Any, secret: str | None = None, **headers: str) -> Reply:
        """One call of Telegram's; ``secret`` in place of the right one."""
        shown = {SECRET_HEADER: self.secret if secret is None else secret, **headers}
        return await Client(self.api.http, self.api.base).post(self.path, body, **shown)


async def make_bot(caller: Client, site: Site, sql: asyncpg.Connection, **fields: Any) -> Bot:
    """A new connection, as it is before it is verified."""
    body = {"provider": "telegram", "name": "bot", "credentials": {"botToken": bot_token()}, **fields}
    made = created(await caller.post("/connections", body))
    return await hooked(caller, site, sql, made)


async def hooked(caller: Client, site: Site, sql: asyncpg.Connection, connection: Any) -> Bot:
    row = await sql.fetchrow("SELECT * FROM tocsin.hooks WHERE connection_id = $1", connection["id"])
    vault = Vault(site.master)
    secret = await vault.open(sql, row["project_id"], "hooks", row["connection_id"], "secret", row["secret"])
    return Bot(connection, caller, f"/hooks/telegram/{row['token']}", secret)
