"""Numbers of projects at WhatsApp, and Meta calling about them as it does."""

import hashlib
import hmac
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import msgspec

from tests.channels.far_end import Asked, FarEnd, answering
from tests.client import Client, Reply
from tests.connections.build import created
from tests.running import Site
from tocsin.kit.vault import Vault

TEMPLATE = "alert"

_numbers = itertools.count(1)


@dataclass
class Graph:
    """The Graph API: answers as documented, and gives each message an id of its own.

    ``refusals`` are the codes with which it refuses the next messages, with the status ``refused_as``; ``templates``
    those of an account, ``subscribed`` whether an app is, to all of them.
    """

    far: FarEnd
    templates: dict[str, list[Any]] = field(default_factory=dict)
    refusals: list[int] = field(default_factory=list)
    subscribed: bool = True
    refused_as: int = 400

    def answer(self, asked: Asked) -> tuple[int, str]:
        last = asked.path.rsplit("/", 1)[1]
        if asked.method == "POST" and self.refusals:
            details = {"messaging_product": "whatsapp", "details": "Refused."}
            told = {"message": "Title", "type": "OAuthException", "code": self.refusals.pop(0), "error_data": details}
            return self.refused_as, msgspec.json.encode({"error": told}).decode()
        if asked.method == "POST":
            sent = {"messaging_product": "whatsapp", "messages": [{"id": wamid()}]}
            return 200, msgspec.json.encode(sent).decode()
        if last == "message_templates":
            found = self.templates.get(asked.path.split("/")[-2], [])
            return 200, msgspec.json.encode({"data": found}).decode()
        if last == "subscribed_apps":
            apps = [{"whatsapp_business_api_data": {"id": "1"}}] if self.subscribed else []
            return 200, msgspec.json.encode({"data": apps}).decode()
        node = {"id": last, "display_phone_number": "+1 631-555-5555", "verified_name": "Acme"}
        return 200, msgspec.json.encode(node).decode()

    @property
    def messages(self) -> list[Any]:
        return [asked.json for asked in self.far.asked if asked.method == "POST"]


@asynccontextmanager
async def graph() -> AsyncIterator[Graph]:
    async with answering() as far:
        meta = Graph(far)
        far.to = meta.answer
        yield meta


def wamid() -> str:
    return f"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI{next(_numbers):010d}AA=="


@dataclass(frozen=True)
class Number:
    """A connection of a project to a number, and what Meta knows of it."""

    connection: Any
    id: str
    account: str
    api: Client
    path: str
    verify_token: str
    app_secret: str

    async def call(self, body: Any, secret: str | None = None, **headers: str) -> Reply:
        """One call of Meta's; ``secret`` in place of the right one."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        shown = {"X_Hub_Signature_256": signature(raw, secret or self.app_secret), **headers}
        return await Client(self.api.http, self.api.base).post(self.path, raw, **shown)

    async def told(self, **arrays: list[Any]) -> Reply:
        return await self.call(payload(self, **arrays))

    async def status(self, message: str, status: str, **fields: Any) -> Reply:
        return await self.told(statuses=[reported(message, status, **fields)])


def signature(raw: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


async def make_number(
    caller: Client, site: Site, sql: asyncpg.Connection, where: str = "/connections", **settings: Any
) -> Number:
    """A verified connection. Each has an id, an account and an app secret of its own."""
    index = next(_numbers)
    id_, account, app_secret = f"10654035224{index:04d}", f"10229012933{index:04d}", f"canary-app-secret-{index:014d}"
    body = {
        "provider": "whatsapp",
        "name": f"number {index}",
        "settings": {"phoneNumberId": id_, "businessAccountId": account, "template": TEMPLATE, **settings},
        "credentials": {"accessToken": f"canary-access-token-{index}", "appSecret": app_secret},
    }
    made = created(await caller.post(where, body))
    reply = await caller.post(f"{where}/{made['id']}/verify")
    assert reply.status == 200 and reply.json["status"] == "active", reply.json
    row = await sql.fetchrow("SELECT * FROM tocsin.hooks WHERE connection_id = $1", made["id"])
    secret = await Vault(site.master).open(
        sql, row["project_id"], "hooks", row["connection_id"], "secret", row["secret"]
    )
    return Number(made, id_, account, caller, f"/hooks/whatsapp/{row['token']}", secret, app_secret)


def elsewhere(number: Number, path: str) -> Number:
    return replace(number, path=path)


def payload(*numbers: Number, **arrays: list[Any]) -> dict[str, Any]:
    """.../whatsapp/webhooks/reference/messages: an entry with a change for each number."""
    return {
        "object": "whatsapp_business_account",
        "entry": [
            {
                "id": number.account,
                "changes": [
                    {
                        "value": {
                            "messaging_product": "whatsapp",
                            "metadata": {"display_phone_number": "16315555555", "phone_number_id": number.id},
                            **arrays,
                        },
                        "field": "messages",
                    }
                ],
            }
            for number in numbers
        ],
    }


def written(by: str = "16505551234", text: str = "Hi", at: float | None = None, **fields: Any) -> dict[str, Any]:
    """.../messages/text: what a person wrote."""
    moment = str(int(time.time() if at is None else at))
    return {"from": by, "id": wamid(), "timestamp": moment, "type": "text", "text": {"body": text}, **fields}


def reported(message: str, status: str, **fields: Any) -> dict[str, Any]:
    """.../messages/status: what became of a message of ours."""
    return {
        "id": message,
        "status": status,
        "timestamp": str(int(time.time())),
        "recipient_id": "16505551234",
        **fields,
    }


def failed(message: str, code: int) -> dict[str, Any]:
    error = {"code": code, "title": "Title", "message": "Title", "error_data": {"details": "It did not arrive."}}
    return reported(message, "failed", errors=[error])
