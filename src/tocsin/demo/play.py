"""The course of the demonstration: set the shop up, send, watch, count, explain."""

import asyncio
import secrets
import time
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from rich.console import Console
from rich.text import Text

from tocsin.demo.client import NoDemo, Socket, Tocsin, identity_token
from tocsin.demo.ledger import Arrival, Ledger
from tocsin.demo.sample import Event
from tocsin.demo.shop import PEOPLE, RULES

__all__ = ["NoDemo", "play"]

_SETTLE_SECONDS = 30.0
_LONGEST_SECONDS = 600.0
_ARRIVED = "notification.created"
_COLOUR = {"critical": "bold red", "high": "yellow", "low": "dim"}


async def play(url: str, events: list[Event], per_second: float, console: Console) -> None:
    """Run it all once against the Tocsin at ``url``. Raises NoDemo."""
    timeout = aiohttp.ClientTimeout(total=15)
    try:
        async with asyncio.timeout(_LONGEST_SECONDS), aiohttp.ClientSession(timeout=timeout) as http:
            await _Demo(Tocsin(http, url), console).play(events, per_second)
    except TimeoutError as error:
        raise NoDemo(
            f"It took longer than {_LONGEST_SECONDS:.0f} s; raise --per-second or send fewer events."
        ) from error


class _Demo:
    def __init__(self, tocsin: Tocsin, console: Console) -> None:
        self._tocsin = tocsin
        self._console = console
        self._ledger = Ledger(self._show)
        self._keys: dict[str, str] = {}

    async def play(self, events: list[Event], per_second: float) -> None:
        await self._tocsin.check_it_runs()
        project = await self._sign_up()
        await self._install_rules()
        async with AsyncExitStack() as opened:
            for name, role in PEOPLE.items():
                socket = await self._connect(project, name, role)
                opened.push_async_callback(socket.close)
                listening = asyncio.create_task(self._listen(name, socket), name=name)
                opened.callback(listening.cancel)
            self._heading(len(events))
            await self._send(events, per_second)
            stories = await self._settled()
        self._count(stories)
        self._explain(stories)

    async def _sign_up(self) -> dict[str, Any]:
        email = f"owner-{secrets.token_hex(4)}@example.com"
        password = secrets.token_urlsafe(18)
        body = {"email": email, "password": password, "projectName": "Demo shop"}
        project: dict[str, Any] = await self._tocsin.call("POST", "/signup", json=body)
        pair = project["apiKeys"]["live"]
        self._keys = {"X-API-Key": pair["key"], "X-API-Secret": pair["secret"]}
        self._say(f"Signed up the project {project['project']['slug']!r} ({email}, password {password})")
        return project

    async def _install_rules(self) -> None:
        for role in PEOPLE.values():
            await self._call("POST", "/roles", json={"name": role})
        for rule in RULES:
            await self._call("POST", "/rules", json=rule)
        self._say(f"Installed {len(RULES)} rules: {', '.join(rule['name'] for rule in RULES)}")

    async def _connect(self, project: dict[str, Any], name: str, role: str) -> Socket:
        """One person's app: vouched for by the shop's backend, subscribed to the person's own channel."""
        token = identity_token(
            project["project"]["id"], project["identitySecrets"]["live"], f"demo-{name.lower()}", name, role
        )
        key = self._keys["X-API-Key"]
        person = await self._tocsin.call(
            "POST", "/users/register", headers={"X-API-Key": key}, json={"identityToken": token}
        )
        bearer = {"Authorization": f"Bearer {person['tokens']['accessToken']}"}
        channel = f"private-user-{person['user']['id']}"
        socket = await self._tocsin.socket(key)
        asked = {"socket_id": socket.id, "channel_name": channel}
        signed = await self._tocsin.call("POST", "/realtime/auth", headers=bearer, data=asked)
        await socket.subscribe(channel, signed["auth"])
        self._say(f"{name} ({role}) listens")
        return socket

    async def _listen(self, name: str, socket: Socket) -> None:
        await socket.listen(_ARRIVED, lambda data, at: self._ledger.note_arrival(name, data, at))

    async def _send(self, events: list[Event], per_second: float) -> None:
        """One after the other on a schedule, so that what is measured is the way of an event, not a burst."""
        began = time.perf_counter()
        for number, event in enumerate(events):
            await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            at = time.perf_counter()
            accepted = await self._call("POST", "/events", json=event)
            self._ledger.note_sent(accepted["id"], at)

    async def _settled(self) -> list[dict[str, Any]]:
        """The story of every event, once all are processed and what they promise has arrived, or time is up."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        stories: dict[str, dict[str, Any]] = {}
        while time.monotonic() < deadline:
            for event_id in self._ledger.sent:
                if stories.get(event_id, {}).get("status", "received") == "received":
                    stories[event_id] = await self._call("GET", f"/events/{event_id}")
            unfinished = any(story["status"] == "received" for story in stories.values())
            if not unfinished and len(self._ledger.arrivals) >= _promised(list(stories.values())):
                break
            await asyncio.sleep(0.2)
        return list(stories.values())

    async def _call(self, method: str, path: str, **content: Any) -> Any:
        return await self._tocsin.call(method, path, headers=self._keys, **content)

    def _heading(self, count: int) -> None:
        self._say(f"Sending {count} events; each notification as it arrives:")
        self._console.print(Text(f"{'latency':>9}  {'to':<7} {'priority':<9} {'notification'}", style="underline"))

    def _show(self, arrival: Arrival) -> None:
        said = arrival.notification
        words = f"{said['title']}  {said['message']}".rstrip()
        ack = " (wants an acknowledgement)" if said.get("requireAck") else ""
        line = f"{arrival.seconds * 1000:6.1f} ms  {arrival.person:<7} {said['priority']:<9} {words}{ack}"
        text = Text(line, style=_COLOUR.get(said["priority"], ""), no_wrap=True, overflow="ellipsis")
        self._console.print(text, soft_wrap=not self._console.is_terminal)  # a file gets whole lines

    def _count(self, stories: list[dict[str, Any]]) -> None:
        processed = sum(story["status"] == "processed" for story in stories)
        arrived, promised = len(self._ledger.arrivals), _promised(stories)
        self._console.print()
        self._say(f"{len(self._ledger.sent)} events sent, {processed} processed")
        self._say(f"{arrived} of {promised} notifications arrived")
        median, slow = self._ledger.percentile(0.5) * 1000, self._ledger.percentile(0.99) * 1000
        self._say(f"From sending the event to the socket: median {median:.1f} ms, p99 {slow:.1f} ms")

    def _explain(self, stories: list[dict[str, Any]]) -> None:
        """One event that met several rules, as GET /events/{id} tells it."""
        story = max(stories, key=lambda each: sum(step["matched"] for step in each.get("trace", ())))
        self._console.print()
        self._say(f"The story of {story['type']} (GET /api/v1/events/{story['id']}):")
        for step in story.get("trace", ()):
            mark = "matched" if step["matched"] else "not matched"
            self._say(f"  {step['ruleName']}: {mark}" + (f", {step['reason']}" if step.get("reason") else ""))
            for delivery in step.get("deliveries", ()):
                self._say(
                    f"    {delivery['channel']}: {delivery['state']}, attempts {len(delivery.get('attempts', ()))}"
                )

    def _say(self, words: str) -> None:
        self._console.print(Text(words), soft_wrap=True)


def _promised(stories: list[dict[str, Any]]) -> int:
    """How many notifications the stories say went to sockets."""
    return sum(
        delivery["channel"] == "realtime"
        for story in stories
        for step in story.get("trace", ())
        for delivery in step.get("deliveries", ())
    )
