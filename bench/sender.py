"""Events on a schedule that waits for nobody: ``python -m bench.sender`` with a JSON of `Schedule` on stdin.

Each event is sent at its time whether or not earlier ones were answered (open loop), and carries its number. A late
start of a request counts against the product as well, since it is the schedule that latency is counted from.
"""

import asyncio
import sys
import time

import aiohttp
import msgspec
import uvloop

from bench.events import PAYLOAD, TYPE

LEAD_SECONDS = 0.5


class Schedule(msgspec.Struct):
    """``count`` events, ``per_second`` of them."""

    url: str
    headers: dict[str, str]
    per_second: float
    count: int


class Sent(msgspec.Struct):
    """``began`` is the scheduled time of the first event in seconds since 1970; the others follow in even steps.

    ``answered`` holds the milliseconds from the schedule to the answer, ``faults`` what was not accepted.
    """

    began: float
    accepted: list[int]
    answered: list[float]
    faults: list[str]


async def send(schedule: Schedule) -> Sent:
    """Run a schedule in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(schedule.count / schedule.per_second + 60):
        output, _ = await process.communicate(msgspec.json.encode(schedule))
    return msgspec.json.decode(output, type=Sent)


async def _send(schedule: Schedule) -> Sent:
    connector = aiohttp.TCPConnector(limit=256)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as http:
        sent = Sent(time.time() + LEAD_SECONDS, [], [], [])
        async with asyncio.TaskGroup() as under_way:
            for number in range(schedule.count):
                due = sent.began + number / schedule.per_second
                await asyncio.sleep(due - time.time())
                under_way.create_task(_post(http, schedule, sent, number, due))
    return sent


async def _post(http: aiohttp.ClientSession, schedule: Schedule, sent: Sent, number: int, due: float) -> None:
    body = msgspec.json.encode({"type": TYPE, "payload": {**PAYLOAD, "number": number}})
    headers = {**schedule.headers, "Content-Type": "application/json"}
    try:
        async with http.post(schedule.url, data=body, headers=headers) as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        sent.faults.append(type(error).__name__)
        return
    if answer.status != 202:
        sent.faults.append(str(answer.status))
        return
    sent.accepted.append(number)
    sent.answered.append((time.time() - due) * 1000)


if __name__ == "__main__":
    done = uvloop.run(_send(msgspec.json.decode(sys.stdin.buffer.read(), type=Schedule)))
    sys.stdout.buffer.write(msgspec.json.encode(done))
