"""A project's server with Pusher's official libraries, for Python and for Node, pointed at an API process of ours."""

import asyncio
import base64
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import pusher

from tests.client import Client, Project, Reply
from tests.node import find_node, installed_packages
from tests.realtime.pusher_js import JS
from tocsin.kit.pusher_signature import signed_query

MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
"""Of encrypted channels: 32 bytes that no server of channels ever sees."""


def shared_secret(channel: str) -> str:
    """What a client needs to read an encrypted channel, in base64."""
    return base64.b64encode(sha256(channel.encode() + base64.b64decode(MASTER_KEY)).digest()).decode()


@dataclass(frozen=True)
class App:
    """What a project's server holds of its app in one environment."""

    id: str
    key: str
    secret: str


def app_of(project: Project, env: str = "live") -> App:
    shown = project.signed_up["realtime"][env]
    return App(str(shown["appId"]), project.signed_up["apiKeys"][env]["key"], shown["secret"])


@dataclass(frozen=True)
class Python:
    """The library for Python. A call raises the library's own errors."""

    app: App
    api: Client

    async def call(self, name: str, *args: Any, **more: Any) -> Any:
        server = urlsplit(self.api.base)
        client = pusher.Pusher(
            app_id=self.app.id,
            key=self.app.key,
            secret=self.app.secret,
            host=server.hostname,
            port=server.port,
            ssl=False,
            encryption_master_key_base64=MASTER_KEY,
        )
        return await asyncio.to_thread(getattr(client, name), *args, **more)


@dataclass(frozen=True)
class Node:
    """The library for Node."""

    app: App
    api: Client

    async def call(self, name: str, *args: Any) -> dict[str, Any]:
        """``{"status", "body"}``, or ``{"status", "text"}`` of a refusal."""
        node = find_node()
        packages = await asyncio.to_thread(installed_packages, JS, node)
        server = urlsplit(self.api.base)
        options = {
            "appId": self.app.id,
            "key": self.app.key,
            "secret": self.app.secret,
            "host": server.hostname,
            "port": str(server.port),
            "useTLS": False,
            "encryptionMasterKeyBase64": MASTER_KEY,
        }
        asked = json.dumps({"options": options, "call": name, "args": args})
        process = await asyncio.create_subprocess_exec(
            node.node, str(JS / "server.js"), str(packages), asked, stdout=asyncio.subprocess.PIPE
        )
        told, _ = await process.communicate()
        return dict(json.loads(told))


@dataclass(frozen=True)
class Bare:
    """No library: whatever a test wants to send, signed rightly unless it says otherwise."""

    app: App
    api: Client

    async def post(self, path: str, body: Any, **spoilt: str) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._send("POST", path, raw, spoilt)

    async def get(self, path: str, **spoilt: str) -> Reply:
        return await self._send("GET", path, b"", spoilt)

    async def _send(self, method: str, path: str, body: bytes, spoilt: dict[str, str]) -> Reply:
        target = f"/apps/{self.app.id}{path}"
        query = {**signed_query(self.app.key, self.app.secret, method, target, body), **spoilt}
        params = {name: value for name, value in query.items() if value != ABSENT}
        url = self.api.base + target
        async with self.api.http.request(method, url, params=params, data=body or None) as answer:
            text = await answer.text()
            return Reply(answer.status, json.loads(text) if answer.status == 200 else text, answer.headers)


ABSENT = "<absent>"
"""Of a parameter of the query that is to be left out."""
