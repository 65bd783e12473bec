"""`tocsin import` beside a running installation, and what a project has in the end."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from tests.client import Client, Project
from tests.forked import Forked, command
from tests.inbound.telegram.bot_api import BotApi
from tests.running import Site
from tocsin.kit.ids import new_id
from tocsin.kit.vault import Vault

ORDERS, INVENTORY = "-1001234567890", "-1009876543210"

WHATSAPP = {
    "WHATSAPP_ACCESS_TOKEN": "EAAcanary-of-the-meta-app",
    "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
    "WHATSAPP_BUSINESS_ACCOUNT_ID": "102290129340398",
    "WHATSAPP_APP_SECRET": "0123456789abcdef0123456789abcdef",
    "WHATSAPP_VERIFY_TOKEN": "as-it-stands-at-meta",
    "WHATSAPP_ORDERS_RECIPIENT": "+436601234567",
    "WHATSAPP_INVENTORY_RECIPIENT": "+436607654321",
    "WHATSAPP_INVENTORY_ENABLED": "off",
}

_TABLES = {
    "connections": "SELECT * FROM tocsin.connections WHERE project_id = $1 ORDER BY id",
    "hooks": "SELECT * FROM tocsin.hooks WHERE project_id = $1 ORDER BY connection_id",
    "destinations": "SELECT * FROM tocsin.destinations WHERE project_id = $1 ORDER BY id",
}
_ON_RECORD = {
    "audit_log": "SELECT id, action FROM tocsin.audit_log WHERE project_id = $1 ORDER BY id",
    "imports": "SELECT id, rolled_back_at FROM tocsin.imports WHERE project_id = $1 ORDER BY id",
}


@dataclass(frozen=True)
class Said:
    """How a command ended, and all it printed."""

    code: int
    text: str

    @property
    def import_id(self) -> str:
        """What the last line says to roll back with."""
        return next(line for line in self.text.splitlines() if line.startswith("Import ")).rpartition(" ")[2]


@dataclass
class Harbour:
    site: Site
    api: Client
    sql: asyncpg.Connection
    far: BotApi

    async def tocsin(self, *words: str, variables: Mapping[str, str] | None = None) -> Said:
        log = self.site.home / f"said-{new_id()}.log"
        process = Forked(command(words), {**self.site.environment(0), **(variables or {})}, self.site.home, log)
        code = await asyncio.to_thread(process.wait, 120)
        text = log.read_text()
        assert "Traceback" not in text, text
        return Said(code, text)

    async def import_env(self, file: Path, project: Project, whose: str = "project", *more: str) -> Said:
        words = ("--from-file", str(file), "--project", project.slug, "--for", whose)
        return await self.tocsin("import", "all", *words, *more)

    async def imported(self, file: Path, project: Project, whose: str = "project") -> str:
        """The id of an import in which all went well."""
        said = await self.import_env(file, project, whose)
        assert said.code == 0, said.text
        return said.import_id

    async def rows(self, project: Project, *, record: bool = False) -> dict[str, list[dict[str, Any]]]:
        """All that an import may change, secrets opened; with ``record`` what it leaves behind of itself as well."""
        queries = {**_TABLES, **(_ON_RECORD if record else {})}
        found = {name: [dict(row) for row in await self.sql.fetch(sql, project.id)] for name, sql in queries.items()}
        vault = Vault(self.site.master)
        for table, field, key in (("connections", "credentials", "id"), ("hooks", "secret", "connection_id")):
            for row in found[table]:
                row[field] = await vault.open(self.sql, UUID(project.id), table, row[key], field, row[field])
        for row in (*found["connections"], *found["destinations"]):
            del row["updated_at"]
        return found


def env_file(folder: Path, values: Mapping[str, str], name: str = "shop.env") -> Path:
    file = folder / name
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return file


def export_file(folder: Path, **content: Any) -> Path:
    file = folder / "shop.json"
    file.write_text(json.dumps({"version": 1, **content}))
    return file


def telegram(token: str, **more: str) -> dict[str, str]:
    """The variables of a bot with both its chats."""
    return {
        "TELEGRAM_BOT_TOKEN": token,
        "TELEGRAM_ORDERS_CHAT_ID": ORDERS,
        "TELEGRAM_INVENTORY_CHAT_ID": INVENTORY,
        **more,
    }


def renewed(token: str) -> str:
    """Another token of the same bot."""
    return f"{token[:-4]}next"


def given_bot(token: str, **more: Any) -> dict[str, Any]:
    """A bot as an export has it."""
    places = [{"name": "orders", "address": ORDERS}, {"name": "inventory", "address": INVENTORY, "enabled": False}]
    return {"provider": "telegram", "credentials": {"botToken": token}, "destinations": places, **more}


async def connections_of(caller: Client, **filters: str) -> list[Any]:
    reply = await caller.get("/connections", **filters)
    assert reply.status == 200, reply.json
    return list(reply.json["items"])


async def places_of(caller: Client, connection: Any) -> dict[str, tuple[str, bool]]:
    reply = await caller.get(f"/connections/{connection['id']}/destinations")
    assert reply.status == 200, reply.json
    return {each["name"]: (each["address"], each["enabled"]) for each in reply.json["items"]}
