"""The official client in Node, driven from here: commands go in, what it notices comes out."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

from tests.node import find_node, installed_packages
from tests.realtime.serving import KEY, SECRET
from tocsin.realtime import auth

JS = Path(__file__).parent / "js"


class Listening(Protocol):
    """Whatever serves sockets on a port of this machine."""

    port: int


class PusherJs:
    """``facts`` is everything the clients have told so far. ``people`` says who a client authorizes as."""

    def __init__(self, process: asyncio.subprocess.Process, served: Listening) -> None:
        self.process = process
        self.port = served.port
        self.facts: list[dict[str, Any]] = []
        self.people: dict[str, str] = {}
        self.key, self.secret = KEY, SECRET
        self.shared_secrets: dict[str, str] = {}
        """Of encrypted channels, in base64: what the app's backend gives to its clients."""
        self._changed = asyncio.Condition()

    async def do(self, command: str, client: str, **details: Any) -> None:
        await self._write({"do": command, "client": client, **details})

    async def connect(self, client: str, key: str = KEY, **options: Any) -> str:
        """A connected client; its socket id."""
        await self.do("connect", client, key=key, port=self.port, options=options)
        return str((await self.fact(client=client, state="connected"))["socketId"])

    async def subscribe(self, client: str, channel: str, *events: str) -> dict[str, Any]:
        """Subscribe and wait until the server has agreed."""
        since = len(self.facts)
        await self.do("subscribe", client, channel=channel, events=events)
        succeeded = "pusher:subscription_succeeded"
        return await self.fact(client=client, channel=channel, event=succeeded, since=since)

    async def fact(self, since: int = 0, seconds: float = 15, **wanted: Any) -> dict[str, Any]:
        """The first fact since then that has all the wanted entries, awaited if need be."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self.told(since, **wanted))
        except TimeoutError:
            raise AssertionError(f"never told: {wanted}; last facts: {self.facts[-8:]}") from None
        return self.told(since, **wanted)[0]

    def told(self, since: int = 0, **wanted: Any) -> list[dict[str, Any]]:
        return [fact for fact in self.facts[since:] if wanted.items() <= fact.items()]

    async def settle(self, client: str) -> None:
        """Wait until the server has dealt with all this client said, and the client with all it was sent."""
        since = len(self.facts)
        await self.do("raw", client, event="pusher:ping", data={})
        await self.fact(client=client, message="pusher:pong", since=since)

    async def listen(self) -> None:
        assert self.process.stdout
        while line := await self.process.stdout.readline():
            fact = json.loads(line)
            if "ask" in fact:
                await self._answer(fact)
            async with self._changed:
                self.facts.append(fact)
                self._changed.notify_all()

    async def _answer(self, fact: dict[str, Any]) -> None:
        user = self.people.get(fact["client"], fact["client"])
        if fact["kind"] == "user":
            body = auth.sign_in(self.key, self.secret, fact["socketId"], user)
        else:
            info = {"name": user.title()}
            socket, channel = fact["socketId"], fact["channel"]
            body = auth.authorize(self.key, self.secret, socket, channel, user_id=user, user_info=info)
            if shared := self.shared_secrets.get(channel):
                body["shared_secret"] = shared
        await self._write({"do": "answer", "ask": fact["ask"], "body": body})

    async def _write(self, command: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        await self.process.stdin.drain()


@contextlib.asynccontextmanager
async def pusher_js(served: Listening) -> AsyncIterator[PusherJs]:
    node = find_node()
    packages = await asyncio.to_thread(installed_packages, JS, node)
    process = await asyncio.create_subprocess_exec(
        node.node,
        str(JS / "driver.js"),
        str(packages),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    clients = PusherJs(process, served)
    listening = asyncio.create_task(clients.listen())
    try:
        yield clients
    finally:
        process.kill()
        await process.wait()
        await listening
