"""Many senders on one timetable that waits for nobody: ``python -m bench.streams`` takes a `Timetable`.

Each event is sent at its time whether or not earlier ones were answered (open loop), and carries its mark, which the
rules of the receiving projects make the title of their notifications.
"""

import asyncio
import heapq
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec

from bench.beside import answering, beside
from bench.events import PAYLOAD, TYPE

LEAD_SECONDS = 0.5
MARKED = {"eventTypes": [TYPE], "title": "{{ payload.mark }}", "message": "for {{ payload.customer.name }}"}
"""The part of a rule that makes an event's mark the title."""


class Stream(msgspec.Struct, frozen=True):
    """``count`` events at ``per_second``, from ``begins`` seconds after the start, ``batch`` to a request."""

    name: str
    headers: dict[str, str]
    per_second: float
    count: int
    begins: float = 0.0
    batch: int = 1

    def due(self, number: int) -> float:
        """When this event is sent, in seconds after the start."""
        return self.begins + number // self.batch * self.batch / self.per_second


class Timetable(msgspec.Struct):
    """``url`` is the API's, up to its version."""

    url: str
    streams: list[Stream]

    @property
    def seconds(self) -> float:
        return max(stream.due(stream.count - 1) for stream in self.streams)


class Kept(msgspec.Struct):
    """``due`` maps the mark of every accepted event to the time it was to be sent, in seconds since 1970."""

    due: dict[str, float]
    faults: list[str]

    def of(self, name: str) -> "Kept":
        """The events alone of streams whose names begin so."""
        return Kept({mark: at for mark, at in self.due.items() if mark.startswith(name)}, [])


async def keep(timetable: Timetable) -> Kept:
    """Run a timetable in a process of its own."""
    async with beside("bench.streams") as process:
        return await process.ask(timetable, Kept, timetable.seconds + 60)


async def _keep(timetable: Timetable) -> Kept:
    connector = aiohttp.TCPConnector(limit=256)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as http:
        began, kept = time.time() + LEAD_SECONDS, Kept({}, [])
        async with asyncio.TaskGroup() as under_way:
            for offset, stream, number in heapq.merge(*map(_requests, timetable.streams), key=lambda each: each[0]):
                await asyncio.sleep(began + offset - time.time())
                under_way.create_task(_post(http, timetable.url, stream, number, began + offset, kept))
    return kept


def _requests(stream: Stream) -> Iterator[tuple[float, Stream, int]]:
    for number in range(0, stream.count, stream.batch):
        yield stream.due(number), stream, number


async def _post(http: aiohttp.ClientSession, url: str, stream: Stream, first: int, due: float, kept: Kept) -> None:
    marks = [f"{stream.name}-{number}" for number in range(first, min(first + stream.batch, stream.count))]
    events = [{"type": TYPE, "payload": {**PAYLOAD, "mark": mark}} for mark in marks]
    path, body = ("/events", events[0]) if stream.batch == 1 else ("/events/batch", {"events": events})
    headers = {**stream.headers, "Content-Type": "application/json"}
    try:
        async with http.post(url + path, data=msgspec.json.encode(body), headers=headers) as answer:
            told: Any = msgspec.json.decode(await answer.read())
    except (aiohttp.ClientError, TimeoutError) as error:
        kept.faults += [type(error).__name__] * len(marks)
        return
    if answer.status != 202 or told.get("rejected"):
        kept.faults += [str(answer.status)] * len(marks)
        return
    kept.due.update(dict.fromkeys(marks, due))


if __name__ == "__main__":
    answering(Timetable, _keep)
