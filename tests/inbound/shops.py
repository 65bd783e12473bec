"""Projects with a number and a person, and what became of what they sent."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.client import Client, Project, sign_up
from tests.inbound.numbers import Graph, Number, make_number
from tests.pipeline import ended, make_rule, send_event, until
from tests.running import Site

ANN = "+16505551234"
HIDDEN = "US.13491208655302741918"


@dataclass
class Installed:
    """An installation whose WhatsApp is ``meta``."""

    site: Site
    api: Client
    sql: asyncpg.Connection
    meta: Graph


@dataclass
class Shop:
    """A project with a number, a person, and a rule that tells her of everything."""

    project: Project
    number: Number
    ann: Any

    async def alert(self, **payload: Any) -> str:
        return await send_event(self.project.key, order=7, **payload)

    async def sent(self) -> Any:
        """A delivery that the provider took."""
        return await ended(self.project.key, await self.alert(), "whatsapp")

    async def delivery(self, found: Any) -> Any:
        reply = await self.project.key.get(f"/deliveries/{found['id']}")
        assert reply.status == 200, reply.json
        return reply.json

    async def setup(self) -> Any:
        reply = await self.project.key.get(f"/connections/{self.number.connection['id']}/setup")
        assert reply.status == 200, reply.json
        return reply.json

    async def becomes(self, found: Any, state: str) -> Any:
        async def look() -> Any:
            now = await self.delivery(found)
            return now if now["state"] == state else None

        return await until(look)


async def make_shop(installed: Installed, name: str = "Shop", address: str = ANN, **settings: Any) -> Shop:
    project = await sign_up(installed.api, name)
    number = await make_number(project.key, installed.site, installed.sql, **settings)
    kind = "phone" if address.startswith("+") else "whatsapp"
    ann = await project.add_user(addresses={kind: address})
    await make_rule(project, "whatsapp", targetUsers=[ann["id"]])
    return Shop(project, number, ann)


async def items(installed: Installed, number: Number) -> list[Any]:
    return await installed.sql.fetch(
        "SELECT event_id, state, last_error, attempts FROM tocsin.inbound_raw WHERE connection_id = $1 ORDER BY id",
        number.connection["id"],
    )


async def worked_on(installed: Installed, number: Number, count: int) -> list[Any]:
    """The items of a number once so many are finished."""

    async def look() -> Any:
        rows = await items(installed, number)
        return rows if sum(row["state"] != "received" for row in rows) >= count else None

    return await until(look)


async def windows(installed: Installed, number: Number) -> dict[str, Any]:
    rows = await installed.sql.fetch(
        "SELECT known_as, user_id, window_expires_at FROM tocsin.correspondents WHERE connection_id = $1",
        number.connection["id"],
    )
    return {row["known_as"]: row for row in rows}
