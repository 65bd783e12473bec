"""Exceptions planted into every loop of API and worker, and whether each loop met one.

A process tells its log of every task that lives once it is set up, and each exception says in whose task it was
raised. A loop that is neither made to stumble nor carries others is noticed by that, whoever adds it.
"""

import re
from collections import Counter
from collections.abc import Iterable

STUMBLING = """
import asyncio, itertools
from collections import defaultdict
from dataclasses import replace
from tocsin import worker
from tocsin.kit import garbage, loops
from tocsin.kit.broker.broker import Broker
from tocsin.kit.broker.postgres_link import PostgresLink
from tocsin.kit.broker.redis_link import RedisLink

looks = defaultdict(itertools.count)

def name_of(task):
    name = task.get_name()
    return task.get_coro().__qualname__ if name.startswith("Task-") else name

async def stumbled(look):
    name = name_of(asyncio.current_task())
    number = next(looks[name])
    if number % 7 == 0:
        raise RuntimeError(f"stumbled before a look of [{name}]")
    more = await look()
    if number % 7 == 3:
        raise RuntimeError(f"stumbled after a look of [{name}]")
    return more

steady_stage, steady_look, settle = worker._run, loops.tried, garbage.settle

async def stage_that_stumbles(stage, stop):
    await steady_stage(replace(stage, look=lambda: stumbled(stage.look)), stop)

async def look_that_stumbles(look):
    async def again():
        await stumbled(look)
    again.__qualname__ = look.__qualname__
    await steady_look(again)

def broken_off(loop, seconds):
    done = False
    async def run(self):
        nonlocal done
        if done:
            return await loop(self)
        try:
            async with asyncio.timeout(seconds):
                return await loop(self)
        except TimeoutError:
            done = True
            raise RuntimeError(f"stumbled in the middle of [{loop.__qualname__}]") from None
    run.__qualname__ = loop.__qualname__
    return run

def tell_who_lives():
    for task in asyncio.all_tasks():
        print(f"lives: [{name_of(task)}]", flush=True)

def settled():
    settle()
    asyncio.get_running_loop().call_soon(tell_who_lives)

worker._run, loops.tried, garbage.settle = stage_that_stumbles, look_that_stumbles, settled
# One after the other: each ends the link, and the next begins with the next link.
Broker._send_forever = broken_off(Broker._send_forever, 0.5)
Broker._prove_round_trips = broken_off(Broker._prove_round_trips, 0.7)
for link in (PostgresLink, RedisLink):
    link.run = broken_off(link.run, 0.9)
"""
"""A prologue of any process: every loop raises an exception at two of seven looks and has to go on. Those of the
broker's link raise one each, which ends the link."""

CARRIERS = frozenset({"broker", "broker link", "LifespanOn.main", "Server.serve", "run.<locals>.wrapper"})
"""Tasks that only hold others: what is raised in those passes through these."""

OF_EVERY_INSTALLATION = frozenset(
    {"match", "send", "clock", "pulse", "revocations", "backlogs", "silent sockets", "Broker._send_forever"}
)
"""Without these nobody told who lives."""

_MET = re.compile(r"stumbled [a-z ]+ of \[([^]]+)\]")
_LIVES = re.compile(r"lives: \[([^]]+)\]")


def met(logs: Iterable[str]) -> Counter[str]:
    """How often each loop met an exception."""
    return Counter(name for log in logs for name in _MET.findall(log))


def unmet(logs: Iterable[str]) -> list[str]:
    """What lived and met none, as violations."""
    read = list(logs)
    live = {name for log in read for name in _LIVES.findall(log)} | OF_EVERY_INSTALLATION
    return [f"the loop {name!r} met no exception" for name in sorted(live - met(read).keys() - CARRIERS)]
