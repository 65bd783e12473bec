"""Many callers at once, and what each was told."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.client import Client, Reply


@dataclass
class Told:
    """Answers by status and code, and the keys of the events that were accepted."""

    answers: Counter[tuple[int, str | None]] = field(default_factory=Counter)
    accepted: set[str] = field(default_factory=set)
    unhelpful: list[Reply] = field(default_factory=list)
    """Refusals that do not say when to come back."""

    def note(self, reply: Reply) -> None:
        self.answers[reply.status, reply.code] += 1
        if reply.status in (429, 503) and not 1 <= int(reply.headers.get("Retry-After", "0")) <= 15:
            self.unhelpful.append(reply)

    @property
    def statuses(self) -> set[int]:
        return {status for status, _ in self.answers}


async def send_at_once(caller: Client, callers: int, each: int, told: Told, **payload: Any) -> None:
    """So many callers, each with one request at a time and none of them patient."""

    async def insist(number: int) -> None:
        for turn in range(each):
            key = f"{number}-{turn}-{len(told.answers)}-{id(told):x}"
            body = {"type": "order.created", "clientEventId": key, "payload": payload}
            reply = await caller.post("/events", body)
            told.note(reply)
            if reply.status == 202:
                told.accepted.add(key)

    await asyncio.gather(*(insist(number) for number in range(callers)))


async def get_at_once(caller: Client, path: str, callers: int, told: Told) -> None:
    for reply in await asyncio.gather(*(caller.get(path) for _ in range(callers))):
        told.note(reply)
