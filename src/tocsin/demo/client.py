"""A client of Tocsin as an app would write it: JSON over HTTP, and a Pusher socket for each person."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import jwt

_TOKEN_SECONDS = 300


class NoDemo(Exception):
    """The demonstration cannot go on; the message says why and what to do."""


class Tocsin:
    """One running installation at ``url``."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = http

    async def check_it_runs(self) -> None:
        try:
            async with self._http.get(f"{self.url}/health/ready") as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NoDemo(
                f"Nothing answers at {self.url} ({error}).\n"
                "Start Tocsin in another terminal with `tocsin up`, or name a running one: tocsin demo --url ..."
            ) from error
        if status != 200:
            raise NoDemo(f"What runs at {self.url} is not ready (GET /health/ready answers {status}).")

    async def call(self, method: str, path: str, headers: dict[str, str] | None = None, **content: Any) -> Any:
        """The decoded answer. Raises NoDemo with the problem's own words for anything but 2xx."""
        try:
            async with self._http.request(method, f"{self.url}/api/v1{path}", headers=headers, **content) as answer:
                status, text = answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoDemo(f"{method} {path} got no answer: {error or type(error).__name__}") from error
        try:
            body = json.loads(text) if text else {}
        except ValueError:
            body = {}
        if not 200 <= status < 300:
            raise NoDemo(f"{method} {path} was answered {status}: {body.get('detail', text[:300])}")
        return body

    async def socket(self, key: str) -> "Socket":
        """A connected, not yet subscribed socket of the app with this public key."""
        parts = urlsplit(self.url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        query = "protocol=7&client=tocsin-demo&version=1"
        address = urlunsplit((scheme, parts.netloc, f"{parts.path}/app/{key}", query, ""))
        try:
            websocket = await self._http.ws_connect(address)
            hello = await websocket.receive_json(timeout=10)
        except (aiohttp.ClientError, TimeoutError, TypeError, ValueError) as error:
            raise NoDemo(f"No socket at {parts.netloc}/app/{key}: {error}") from error
        if hello["event"] != "pusher:connection_established":
            raise NoDemo(f"The socket was refused: {hello.get('data')}")
        return Socket(websocket, json.loads(hello["data"])["socket_id"])


class Socket:
    """The few words of the Pusher protocol that a listener needs."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, socket_id: str) -> None:
        self.id = socket_id
        self._websocket = websocket

    async def subscribe(self, channel: str, auth: str) -> None:
        data = {"channel": channel, "auth": auth}
        await self._websocket.send_json({"event": "pusher:subscribe", "data": data})
        frame = await self._websocket.receive_json(timeout=10)
        if frame["event"] != "pusher_internal:subscription_succeeded":
            raise NoDemo(f"The subscription to {channel} was refused: {frame.get('data')}")

    async def listen(self, event: str, heard: Callable[[dict[str, Any], float], None]) -> None:
        """Hand over the data of each frame with this event and the moment it came, until the socket closes."""
        async for message in self._websocket:
            now = time.perf_counter()
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            frame = json.loads(message.data)
            if frame["event"] == "pusher:ping":
                await self._websocket.send_json({"event": "pusher:pong", "data": {}})
            elif frame["event"] == event:
                data = frame["data"]
                heard(json.loads(data) if isinstance(data, str) else data, now)

    async def close(self) -> None:
        with suppress(aiohttp.ClientError, asyncio.TimeoutError):
            await self._websocket.close()


def identity_token(project_id: str, secret: str, person: str, name: str, role: str) -> str:
    """What the shop's own backend says of a person, so that an app gets tokens for them without a password."""
    claims = {
        "sub": person,
        "name": name,
        "roles": [role],
        "aud": project_id,
        "exp": int(time.time()) + _TOKEN_SECONDS,
        "jti": secrets.token_hex(16),
    }
    return jwt.encode(claims, secret, algorithm="HS256")
