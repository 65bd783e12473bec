"""The examples of docs/webhooks.md are run as they stand, and other people's verifiers take what we sign."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.client import Project
from tests.connections.build import receiver
from tests.engines import free_port
from tests.node import find_node, installed_packages
from tests.pipeline import until
from tocsin.channels.webhook import new_secret

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
PACKAGES = Path(__file__).parent / "verifiers"

VERIFY = """
const { headers, body, secrets } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const verdicts = ["standardwebhooks", "svix"].map((library) => {
  const { Webhook } = require(library);
  return secrets.map((secret) => {
    try {
      new Webhook(secret).verify(body, headers);
      return true;
    } catch {
      return false;
    }
  });
});
console.log(JSON.stringify(verdicts));
"""


def example(language: str) -> str:
    [code] = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(code)


def command(language: str) -> tuple[list[str], dict[str, str]]:
    """How an example is run, and where it finds its library."""
    if language == "python":
        return [sys.executable, "-c", example("python")], {"PYTHONPATH": os.pathsep.join(sys.path)}
    node = find_node()
    packages = installed_packages(PACKAGES, node)
    return [node.node, "-e", example("js")], {**node.environ, "NODE_PATH": str(packages / "node_modules")}


@dataclass
class Example:
    url: str
    process: asyncio.subprocess.Process

    async def said(self) -> str:
        assert self.process.stdout
        async with asyncio.timeout(15):
            return (await self.process.stdout.readline()).decode()


@contextlib.asynccontextmanager
async def serving(language: str, secret: str) -> AsyncIterator[Example]:
    """The example as a process that listens."""
    port = free_port()
    argv, found = command(language)
    environment = {"PATH": os.environ["PATH"], **found, "PORT": str(port), "WEBHOOK_SECRET": secret}
    process = await asyncio.create_subprocess_exec(
        *argv, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: _listens(port))
        yield Example(f"http://127.0.0.1:{port}/", process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def answer_of(project: Project, url: str, secret: str) -> Any:
    """What an example answers to a test message."""
    body = {"url": url, "eventTypes": ["quota.warning"], "secret": secret}
    made = await project.owner.post("/webhook-endpoints", body)
    assert made.status == 201, made.json
    return (await project.owner.post(f"/webhook-endpoints/{made.json['id']}/test")).json


@pytest.mark.parametrize("language", ["python", "js"])
async def test_an_example_takes_what_we_signed(shop: Project, language: str) -> None:
    secret = new_secret()
    async with serving(language, secret) as backend:
        told = await answer_of(shop, backend.url, secret)
        assert (told["state"], told["responseStatus"]) == ("delivered", 204)
        assert (await backend.said()).startswith("webhook.test")


@pytest.mark.parametrize("language", ["python", "js"])
async def test_an_example_refuses_what_somebody_else_signed(shop: Project, language: str) -> None:
    async with serving(language, new_secret()) as backend:
        told = await answer_of(shop, backend.url, new_secret())
    assert (told["state"], told["responseStatus"]) == ("failed", 400)


async def test_verifiers_of_others_agree_through_a_rotation(shop: Project) -> None:
    async with receiver() as backend:
        made = (await shop.owner.post("/webhook-endpoints", {"url": backend.url, "eventTypes": ["*"]})).json
        base = f"/webhook-endpoints/{made['id']}"
        rotated = (await shop.owner.post(f"{base}/rotate-secret", {"overlapSeconds": 60})).json
        assert (await shop.owner.post(f"{base}/test")).json["state"] == "delivered"
    [(headers, content)] = backend.calls
    secrets = [made["secret"], rotated["secret"], new_secret()]
    sent = {name.lower(): value for name, value in headers.items()}
    node = find_node()
    packages = installed_packages(PACKAGES, node)
    process = await asyncio.create_subprocess_exec(
        node.node,
        "-e",
        VERIFY,
        env={**node.environ, "NODE_PATH": str(packages / "node_modules")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate(
        msgspec.json.encode({"headers": sent, "body": content.decode(), "secrets": secrets})
    )
    assert msgspec.json.decode(said) == [[True, True, False], [True, True, False]]
