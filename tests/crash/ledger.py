"""The client: sends events, tries again with the same key until it is told yes, and remembers what it was told."""

import asyncio
import hashlib
import random
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from tests.client import Client, Reply
from tests.crash.project import EVENT_TYPE, MOST

CLIENTS = 5
PAUSE = (0.1, 0.3)
ANSWER_LIMIT = 30.0
"""Above the sum of what the API itself waits for its database."""
BATCHED = 0.25
"""Share of the sends that are batches, and of the answered ones that are sent once more all the same."""
REPEATED = 0.05
ABANDONED = 0.03
"""Share of the sends whose client hangs up before it can have an answer."""
CALLED = 0.15
"""Share of the turns in which an ordinary call is made under an Idempotency-Key."""


@dataclass
class Entry:
    """One event as the client knows it. ``acknowledged_as`` is the id it was told, None while it was told nothing."""

    client_event_id: str
    body: dict[str, Any]
    sends: int = 0
    acknowledged_as: str | None = None
    acknowledged_at: float = 0.0

    @property
    def digest(self) -> str:
        return digest(self.body["type"], self.body["payload"])


@dataclass
class Ledger:
    """``surprises`` are answers that no client should ever get, whatever is killed."""

    entries: dict[str, Entry] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)
    calls: dict[str, str | None] = field(default_factory=dict)
    """Ordinary calls by their Idempotency-Key: the id of what they made, None while nobody told."""
    hung_up: int = 0

    @property
    def acknowledged(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.acknowledged_as]

    def acknowledge(self, entry: Entry, event_id: str) -> None:
        if entry.acknowledged_as is None:
            entry.acknowledged_as, entry.acknowledged_at = event_id, time.monotonic()
        elif entry.acknowledged_as != event_id:
            self.surprises.append(f"{entry.client_event_id} was first {entry.acknowledged_as}, then {event_id}")

    def answered(self, key: str, made: str) -> None:
        if self.calls[key] not in (None, made):
            self.surprises.append(f"the call {key} first made {self.calls[key]}, then {made}")
        self.calls[key] = made


def digest(type_: str, payload: Any) -> str:
    """What tells one body from another, however its keys are ordered."""
    return hashlib.sha256(msgspec.json.encode((type_, payload), order="deterministic")).hexdigest()


class Load:
    """A handful of clients of every API, each with one request at a time."""

    def __init__(self, ledger: Ledger, callers: list[Client], seed: int, clients: int = CLIENTS) -> None:
        self._ledger = ledger
        self._callers = callers
        self._rng = random.Random(seed)
        self._stopped = asyncio.Event()
        self._tasks = [asyncio.create_task(self._send_events()) for _ in range(clients)]

    async def stop(self, limit: float = 60.0) -> None:
        """Begin nothing new, and wait until what was begun is acknowledged."""
        self._stopped.set()
        _, late = await asyncio.wait(self._tasks, timeout=limit)
        for task in late:
            task.cancel()
            self._ledger.surprises.append(f"a client was not answered for {limit:.0f} s after the last fault")
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ledger.surprises += [
            f"a client failed: {task.exception()!r}"
            for task in self._tasks
            if not task.cancelled() and task.exception()
        ]

    async def _send_events(self) -> None:
        while not self._stopped.is_set():
            count = self._rng.randint(2, 15) if self._rng.random() < BATCHED else 1
            entries = [self._new_entry() for _ in range(count)]
            await self._send_until_acknowledged(entries)
            if self._rng.random() < REPEATED:
                await self._send(entries)
            if self._rng.random() < CALLED:
                await self._call_until_answered()
            await asyncio.sleep(self._rng.uniform(*PAUSE))

    def _new_entry(self) -> Entry:
        number = len(self._ledger.entries)
        payload = {"order": number, "amount": self._rng.randint(0, MOST), "note": "ä" * self._rng.randint(0, 200)}
        key = f"order-{number}"
        entry = Entry(key, {"type": EVENT_TYPE, "clientEventId": key, "payload": payload})
        self._ledger.entries[key] = entry
        return entry

    async def _send_until_acknowledged(self, entries: list[Entry]) -> None:
        while not all(entry.acknowledged_as for entry in entries):
            await self._send(entries)
            if not all(entry.acknowledged_as for entry in entries):
                await asyncio.sleep(self._rng.uniform(0.05, 0.3))

    async def _send(self, entries: list[Entry]) -> None:
        """One try at any of the APIs; what was not answered may or may not be stored."""
        for entry in entries:
            entry.sends += 1
        one = len(entries) == 1
        body = entries[0].body if one else {"events": [entry.body for entry in entries]}
        reply = await self._post("/events" if one else "/events/batch", body, self._rng.random() < ABANDONED)
        if reply is None:
            return
        told = ([reply.json] if one else reply.json["results"]) if reply.status in (200, 202) else []
        if reply.status not in (200, 202, 503):
            self._ledger.surprises.append(f"answered {reply.status}: {reply.json}")
        for entry, result in zip(entries, told, strict=False):
            if result["id"] is None:
                self._ledger.surprises.append(f"{entry.client_event_id} was refused: {result}")
            else:
                self._ledger.acknowledge(entry, result["id"])

    async def _call_until_answered(self) -> None:
        """Make a rule that no event fires, under a key; once it is made, perhaps again, which must change nothing."""
        key = f"once-{len(self._ledger.calls)}"
        self._ledger.calls[key] = None
        rule = {"name": key, "eventTypes": [f"never.sent.{key}"], "targetUsers": [], "channels": ["webhook"]}
        body = {**rule, "title": key, "message": key}
        while self._ledger.calls[key] is None or self._rng.random() < REPEATED:
            reply = await self._post("/rules", body, self._rng.random() < ABANDONED, idempotency_key=key)
            if reply is None or reply.status == 503 or reply.code == "idempotency_in_progress":
                await asyncio.sleep(self._rng.uniform(0.05, 0.3))
            elif reply.status == 201:
                self._ledger.answered(key, reply.json["id"])
            else:
                self._ledger.surprises.append(f"the call {key} was answered {reply.status}: {reply.json}")
                return

    async def _post(self, path: str, body: Any, hasty: bool, **headers: str) -> Reply | None:
        """What any of the APIs answered; None if nothing. A hasty client hangs up before that."""
        caller = self._rng.choice(self._callers)
        try:
            async with asyncio.timeout(self._rng.uniform(0, 0.02) if hasty else ANSWER_LIMIT):
                return await caller.post(path, body, **headers)
        except (aiohttp.ClientError, ConnectionError):
            return None
        except TimeoutError:
            if hasty:
                self._ledger.hung_up += 1
            else:
                self._ledger.surprises.append(f"an API left a request without an answer for {ANSWER_LIMIT:.0f} s")
            return None
