"""What a bot costs that rests: the worker's memory over ten thousand bots, each of a project of its own.

Every bot has sent one message to its project's group. All share one session with the provider, so what is left of one
is what the process remembers of it.
"""

import asyncio
from uuid import UUID

import psutil

from bench.arranged import add_rule
from bench.copies import copy_project
from bench.far_end import FarEnd, far_end
from bench.processes import pss_bytes
from bench.projects import Crowd, meet
from bench.results import Line
from bench.run import Run
from bench.running import Installed, installed
from tests.client import Client, Project

FEW, MANY = 1_000, 10_000
QUICK_FEW, QUICK_MANY = 50, 200
SETTLE_SECONDS = 5.0
BAR_KIB = 4.0
TOKEN = "7000001:AAbench0123456789abcdefghijklmnopqr"

_SENT = "SELECT count(*) FROM tocsin.deliveries WHERE channel = 'telegram' AND state = 'sent'"


async def measure(run: Run) -> list[Line]:
    """The slope of the worker's memory between few and many bots that have sent and rest."""
    few, many = (QUICK_FEW, QUICK_MANY) if run.quick else (FEW, MANY)
    async with far_end() as far:
        settings = {"TOCSIN_TELEGRAM_API_URL": far.url}
        async with installed(worker=True, broker=run.broker, settings=settings) as place:
            return await measured(place, far, run, few, many)


async def measured(place: Installed, far: FarEnd, run: Run, few: int, many: int) -> list[Line]:
    """The same in any installation whose Telegram is the far end."""
    await _bring_bot(place, place.project)
    run.tell(f"making {many:,} projects, each with a bot")
    callers = [place.project.key.headers, *await copy_project(place, many - 1)]
    await place.tidy()
    first, others = Crowd(place, far, callers[:few]), Crowd(place, far, callers[few:])
    run.tell(f"a message of each of {few:,} bots")
    await meet(first)
    small = await _settled(place)
    run.tell(f"a message of each of {many - few:,} more")
    await meet(others)
    sockets = _sockets_to(far, place)
    large = await _settled(place)
    sent = await place.superuser.fetchval(
        "SELECT count(*) FROM tocsin.deliveries WHERE channel = 'telegram' AND state = 'sent'"
    )
    void = None if sent == many else f"{sent:,} of {many:,} bots sent their message"
    details = {"MiB at the first": small / 2**20, "MiB at the last": large / 2**20, "sockets to the provider": sockets}
    slope = (large - small) / (many - few) / 1024
    return [Line("a bot that rests, of the worker (PSS)", slope, "KiB", None, BAR_KIB, "most", void, details)]


async def _bring_bot(place: Installed, project: Project) -> None:
    """A bot that sends what its project's rule says to a group; not looked at by checks, as it is not Telegram's."""
    bot = {"provider": "telegram", "name": "Orders", "credentials": {"botToken": TOKEN}}
    made = await _made(project.key, "/connections", bot)
    await place.superuser.execute(
        "UPDATE tocsin.connections SET status = 'active', next_check_at = now() + interval '1 day' WHERE id = $1",
        UUID(made),
    )
    await _made(project.key, f"/connections/{made}/destinations", {"name": "orders", "address": "-1001234567890"})
    await add_rule(project, "telegram", targetRoles=[], targetDestinations=["orders"])


async def _made(caller: Client, path: str, body: object) -> str:
    reply = await caller.post(path, body)
    if reply.status != 201:
        raise RuntimeError(f"{path} was refused: {reply.json}")
    return str(reply.json["id"])


async def _settled(place: Installed) -> int:
    await asyncio.sleep(SETTLE_SECONDS)
    return pss_bytes({"worker": place.pids["worker"]})["worker"]


def _sockets_to(far: FarEnd, place: Installed) -> int:
    """How many the worker has open to the provider."""
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.raddr and each.raddr.port == far.port
        for each in psutil.Process(place.pids["worker"]).net_connections("tcp")
    )
