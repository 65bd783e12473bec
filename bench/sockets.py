"""Ten thousand sockets on one API process: what an idle one costs, and how soon all of them hear a message."""

import asyncio

from bench.crowd import Crowd, allow_sockets, crowd, signing_secret
from bench.processes import cpu_seconds, pss_bytes, spent
from bench.results import Line, part_of
from bench.run import Run
from bench.running import Installed, installed

FEW, MANY = 1_000, 10_000
QUICK_FEW, QUICK_MANY = 300, 1_500
ROUNDS = 5
SETTLE_SECONDS = 3.0
BAR_KIB = 20.0
CHANNEL = "private-crowd"


async def measure(run: Run) -> list[Line]:
    """The slope of the API's memory between few and many sockets, then messages to all of them.

    The message is a client event on a private channel, as the protocol lets clients send them nowhere else.
    """
    allow_sockets()
    run.tell("starting")
    async with installed(worker=False) as place:
        return await measured(place, run, *((QUICK_FEW, QUICK_MANY) if run.quick else (FEW, MANY)))


async def measured(place: Installed, run: Run, few: int, many: int) -> list[Line]:
    """The same in any installation."""
    secret = await signing_secret(place.project)
    pids = {"api": place.pids["api"]}
    async with crowd(place, CHANNEL, secret) as sockets:
        run.tell(f"{few:,} sockets")
        await sockets.open(few)
        small = await _settled(pids)
        run.tell(f"{many:,} sockets")
        before = cpu_seconds(pids)
        seconds = await sockets.open(many)
        opened = spent(before, cpu_seconds(pids))["api"]
        large = await _settled(pids)
        run.tell("messages to all")
        heard = [await _spread(sockets, number, many) for number in range(ROUNDS)]
        fault = fault_of(heard, await sockets.alive(), many)
    details = {
        "MiB at the first": small / 2**20,
        "MiB at the last": large / 2**20,
        "sockets opened a second": (many - few) / seconds,
        "CPU µs to open one": opened / (many - few) * 1e6,
    }
    spreads = sorted(heard, key=lambda times: times[-1] if times else 0.0)
    first, median, last = (_at(spreads[len(spreads) // 2], part) for part in (0.0, 0.5, 1.0))
    return [
        Line(
            "an idle socket (PSS)", (large - small) / (many - few) / 1024, "KiB", None, BAR_KIB, "most", fault, details
        ),
        Line(f"a message to {many:,}, the first", first, "ms", void=fault),
        Line("half of them", median, "ms", void=fault),
        Line("the last", last, "ms", void=fault, details={"slowest round": max(_at(each, 1.0) for each in heard)}),
    ]


async def _settled(pids: dict[str, int]) -> int:
    await asyncio.sleep(SETTLE_SECONDS)
    return pss_bytes(pids)["api"]


async def _spread(sockets: Crowd, number: int, many: int) -> list[float]:
    """Milliseconds until each of the others had one message, in the order of time."""
    mark = f"message {number}!"
    began = await sockets.send(mark)
    return [(at - began) * 1000 for at in await sockets.heard(mark, many - 1, seconds=20)]


def _at(times: list[float], part: float) -> float:
    return part_of(times, part) if times else 0.0


def fault_of(heard: list[list[float]], alive: int, many: int) -> str | None:
    """Why it does not balance that all stayed and heard every message of the first one once, or None."""
    if alive != many:
        return f"{many - alive:,} of {many:,} sockets were lost"
    for times in heard:
        if len(times) != many - 1:
            return f"{len(times):,} messages arrived at {many - 1:,} sockets"
    return None
