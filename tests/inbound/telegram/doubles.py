"""A Bot API that others wrote (telegram-test-api), with faults in between (mountebank)."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.engines import free_port, temporary_folder
from tests.node import find_node, installed_packages
from tests.pipeline import until

JS = Path(__file__).parent / "js"
FAULTS = (
    {"statusCode": 429, "body": {"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 1}}},
    {"statusCode": 502, "body": "<html>Bad Gateway</html>"},
)
"""Of the first two messages that the bot sends."""


@dataclass
class Doubles:
    """``api`` is what the product calls, ``people`` where people are."""

    api: str
    people: str
    http: aiohttp.ClientSession

    async def person(self, path: str, body: Any) -> Any:
        async with self.http.post(f"{self.people}/{path}", json=body) as answer:
            return await answer.json()


@contextlib.asynccontextmanager
async def doubled(http: aiohttp.ClientSession) -> AsyncIterator[Doubles]:
    """Both, running."""
    node = find_node()
    modules = installed_packages(JS, node) / "node_modules"
    double, front, control = free_port(), free_port(), free_port()
    with temporary_folder() as folder:
        config = folder / "imposters.json"
        config.write_text(json.dumps({"imposters": [imposter(front, double)]}))
        mb = ("start", "--host", "127.0.0.1", "--port", str(control), "--configfile", str(config), "--nologfile")
        pid = ("--pidfile", str(folder / "mb.pid"), "--localOnly")
        environ = {**node.environ, "NODE_PATH": str(modules)}
        async with (
            ran(environ, node.node, str(JS / "double.js"), str(double)),
            ran(environ, node.node, str(modules / "mountebank" / "bin" / "mb"), *mb, *pid),
        ):
            found = Doubles(f"http://127.0.0.1:{front}", f"http://127.0.0.1:{double}", http)
            await until(lambda: answers(http, f"{found.api}/bot1/getMe"), 30)
            yield found


def imposter(port: int, behind: int) -> dict[str, Any]:
    """What the double does not know, faults where a test wants some, and the double for the rest."""
    through = {"proxy": {"to": f"http://127.0.0.1:{behind}", "mode": "proxyTransparent"}}
    nowhere = {"ok": True, "result": {"url": "", "has_custom_certificate": False, "pending_update_count": 0}}
    say = {"contains": {"path": "/sendMessage"}}
    about_orders = {"contains": {"body": "Order"}}
    once = [{"is": fault, "repeat": 1} for fault in FAULTS]
    return {
        "protocol": "http",
        "port": port,
        "host": "127.0.0.1",
        "stubs": [
            {"predicates": [{"contains": {"path": "/getWebhookInfo"}}], "responses": [{"is": {"body": nowhere}}]},
            {"predicates": [say, about_orders], "responses": [*once, *[through] * 50]},
            {"responses": [through]},
        ],
    }


@contextlib.asynccontextmanager
async def ran(environ: dict[str, str], *command: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
