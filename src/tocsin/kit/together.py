"""Calls of one database function that are made at the same moment, by one statement.

Many projects with a little work each cost round trips and commits, not work. Callers stay as they are, each with the
batch of its own project; what they ask for while a statement is under way, or in the same turn of the event loop,
goes out as one, and commits as one. The function names the project of each call itself, so the walls stand between
them as before, and a call that fails is made again alone: it spoils only itself.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast
from uuid import UUID

import asyncpg
import structlog

from tocsin.kit.away import is_away
from tocsin.kit.db import Database

LANES = 2
"""Statements of small calls under way at once: the next one fills while these are answered."""

log = structlog.get_logger(__name__)


class Calls(Protocol):
    """A function of the database that can be called."""

    async def call(self, *arguments: Any, weight: int) -> list[asyncpg.Record]:
        """The rows of this call, each after the call's number. Raises what the database answered."""


class Alone:
    """The same function, called in a transaction that is open."""

    def __init__(self, connection: asyncpg.Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement

    async def call(self, *arguments: Any, weight: int = 1) -> list[asyncpg.Record]:
        return list(await self._connection.fetch(self._statement, *[[each] for each in arguments]))


class _Call(NamedTuple):
    arguments: tuple[Any, ...]
    weight: int
    answer: asyncio.Future[list[asyncpg.Record]]


class Together:
    """One function of the database, called for several projects at once.

    ``statement`` takes one array per argument, and its rows begin with the number of the call that each belongs to,
    from 1 on. ``most`` is the weight that shares a statement; whatever weighs as much by itself goes alone and
    at once, so that nobody waits behind it.
    """

    def __init__(self, db: Database, statement: str, most: int) -> None:
        self._db = db
        self._statement = statement
        self._most = most
        self._waiting: deque[_Call] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    async def call(self, *arguments: Any, weight: int) -> list[asyncpg.Record]:
        call = _Call(arguments, weight, asyncio.get_running_loop().create_future())
        if weight >= self._most:
            return await self._asked([call])
        self._waiting.append(call)
        if len(self._lanes) < LANES:
            self._lanes.add(asyncio.create_task(self._drive()))
        return await call.answer

    async def _drive(self) -> None:
        """Until nothing waits; gone in the same moment, since whoever comes next counts on the lanes that are there."""
        try:
            while calls := self._next():
                await self._answer(calls)
        finally:
            self._lanes.remove(cast("asyncio.Task[None]", asyncio.current_task()))

    def _next(self) -> list[_Call]:
        """Those who waited longest, as many as share a statement; whoever gave up waiting is left out.

        In the order of their projects, so that two processes never wait for each other crosswise.
        """
        calls: list[_Call] = []
        weight = 0
        while self._waiting and (not calls or weight + self._waiting[0].weight <= self._most):
            call = self._waiting.popleft()
            if not call.answer.done():
                calls.append(call)
                weight += call.weight
        return sorted(calls, key=lambda call: call.arguments[0])

    async def _answer(self, calls: Sequence[_Call]) -> None:
        try:
            rows = await self._asked(calls)
        except Exception as error:
            if len(calls) > 1 and not is_away(error):
                log.warning("calls failed together; each is made alone", calls=len(calls), exc_info=error)
                for call in calls:
                    await self._answer([call])
                return
            for call in calls:
                if not call.answer.done():
                    call.answer.set_exception(error)
            return
        found: defaultdict[int, list[asyncpg.Record]] = defaultdict(list)
        for row in rows:
            found[row[0]].append(row)
        for number, call in enumerate(calls, start=1):
            if not call.answer.done():
                call.answer.set_result(found[number])

    async def _asked(self, calls: Sequence[_Call]) -> list[asyncpg.Record]:
        columns = [list(column) for column in zip(*[call.arguments for call in calls], strict=True)]
        return list(await self._db.hot.fetch(self._statement, *columns))


def uuids(ids: Sequence[UUID]) -> str:
    """A list of ids as one text: arrays of arrays must be of one length, so each travels as the text of an array."""
    return "{" + ",".join(map(str, ids)) + "}"
