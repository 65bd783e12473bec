"""Events on a schedule that waits for nobody: ``python -m bench.sender`` with a JSON of `Schedule` on stdin.

Each request is sent at its time whether or not earlier ones were answered (open loop), and each event carries its
number. A late start of a request counts against the product as well, since it is the schedule that latency is
counted from.
"""

import asyncio
import sys
import time
from tempfile import TemporaryFile

import aiohttp
import msgspec
import uvloop

from bench.events import PAYLOAD, TYPE

LEAD_SECONDS = 0.5


class Schedule(msgspec.Struct):
    """``count`` events, ``per_second`` of them, ``size`` in a request: one alone goes to ``/events``, more in a batch.

    ``callers`` holds the headers of everybody who takes a turn at sending a request.
    """

    url: str
    callers: list[dict[str, str]]
    per_second: float
    count: int
    size: int = 1
    type: str = TYPE

    def due(self, number: int) -> float:
        """Seconds after the first event at which an event is due: all of a request at the same time."""
        return number // self.size * self.size / self.per_second


class Sent(msgspec.Struct):
    """``began`` is the scheduled time of the first event in seconds since 1970; the others follow as `Schedule.due`
    says.

    ``answered`` holds the milliseconds from the schedule to the answer of each request, ``faults`` what was not
    accepted, ``refused`` the milliseconds to the answer of those that were turned away (429, 503), and ``unhelpful``
    how many of these were not told when to come back.
    """

    began: float
    accepted: list[int]
    answered: list[float]
    faults: list[str]
    refused: list[float] = []
    unhelpful: int = 0


async def send(schedule: Schedule) -> Sent:
    """Run a schedule in a process of its own."""
    # A file, because under load asyncio now and then lost the end of what a process wrote to a pipe and ended.
    with TemporaryFile() as told:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=told
        )
        async with asyncio.timeout(schedule.count / schedule.per_second + 60):
            await process.communicate(msgspec.json.encode(schedule))
        told.seek(0)
        return msgspec.json.decode(told.read(), type=Sent)


async def _send(schedule: Schedule) -> Sent:
    connector = aiohttp.TCPConnector(limit=256)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as http:
        sent = Sent(time.time() + LEAD_SECONDS, [], [], [])
        async with asyncio.TaskGroup() as under_way:
            for first in range(0, schedule.count, schedule.size):
                await asyncio.sleep(sent.began + schedule.due(first) - time.time())
                under_way.create_task(_post(http, schedule, sent, first))
    return sent


async def _post(http: aiohttp.ClientSession, schedule: Schedule, sent: Sent, first: int) -> None:
    numbers = range(first, min(first + schedule.size, schedule.count))
    events = [{"type": schedule.type, "payload": {**PAYLOAD, "number": number}} for number in numbers]
    url, body = (schedule.url, events[0]) if schedule.size == 1 else (f"{schedule.url}/batch", {"events": events})
    caller = schedule.callers[first // schedule.size % len(schedule.callers)]
    headers = {**caller, "Content-Type": "application/json"}
    try:
        async with http.post(url, data=msgspec.json.encode(body), headers=headers) as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        sent.faults += [type(error).__name__] * len(numbers)
        return
    took = (time.time() - sent.began - schedule.due(first)) * 1000
    if answer.status in (429, 503):
        sent.refused.append(took)
        sent.unhelpful += "Retry-After" not in answer.headers
    if answer.status != 202:
        sent.faults += [str(answer.status)] * len(numbers)
        return
    sent.accepted += numbers
    sent.answered.append(took)


if __name__ == "__main__":
    done = uvloop.run(_send(msgspec.json.decode(sys.stdin.buffer.read(), type=Schedule)))
    sys.stdout.buffer.write(msgspec.json.encode(done))
