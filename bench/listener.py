"""The official ``pusher-js`` in Node, subscribed to a person's channel, and what arrived there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bench.arrivals import Arrival
from bench.running import Installed
from tests.node import find_node, installed_packages
from tests.realtime.pusher_js import JS

_SCRIPT = Path(__file__).parent / "listener.js"
_MOST_OUTPUT = 64 * 2**20


class Listener:
    """``arrived`` ends the client and tells the title and the time (ms since 1970) of every notification."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def begin(self, command: dict[str, object]) -> None:
        """Connect and subscribe; returns once the server agreed."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(msgspec.json.encode(command) + b"\n")
        async with asyncio.timeout(20):
            said = msgspec.json.decode(await self._process.stdout.readline())
        if not said["listening"]:
            raise RuntimeError(f"pusher-js could not subscribe: {said}")

    async def arrived(self) -> list[Arrival]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        async with asyncio.timeout(20):
            return msgspec.json.decode(await self._process.stdout.readline(), type=list[Arrival])


def of_owner(site: Installed) -> dict[str, object]:
    """Whom a client signed in as the project's owner connects to, and what it listens to."""
    return {
        "port": site.api.port,
        "key": site.project.key.headers["X-API-Key"],
        "token": site.project.signed_up["tokens"]["accessToken"],
        "channel": f"private-user-{site.project.signed_up['user']['id']}",
    }


@asynccontextmanager
async def listening(told: dict[str, object]) -> AsyncIterator[Listener]:
    """A client of whatever speaks the Pusher protocol."""
    node = find_node()
    packages = await asyncio.to_thread(installed_packages, JS, node)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(node.node, _SCRIPT, stdin=pipe, stdout=pipe, limit=_MOST_OUTPUT)
    try:
        listener = Listener(process)
        await listener.begin({"packages": str(packages), **told})
        yield listener
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
