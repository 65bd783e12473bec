"""Group commit: events of all callers of this process, stored by one statement and one fsync (E1, E2).

There is no timer. A group is sent as soon as none is under way; what arrives meanwhile is the next group. So
a lone event waits for nothing, and a thousand at once share one commit. Where batches pile up, a second group
goes beside the first, so that the database does not wait while this process reads and answers.
"""

import asyncio
from collections import deque
from typing import NamedTuple, cast

import asyncpg

from tocsin.kit import crash
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database
from tocsin.kit.errors import Unavailable
from tocsin.kit.problems import is_away
from tocsin.plans.unlimited import Unlimited

MOST_IN_GROUP = 1_000
MOST_WAITING = 20_000
MOST_UNDER_WAY = 2
WORTH_ANOTHER = 100
"""Waiting events for which a second group is sent beside the first; fewer share the next commit."""


class Incoming(NamedTuple):
    """An event that passed every check and only has to be kept. ``body_hash`` tells a repeat from another body.

    Its fields are the parameters of ``ingest_events``, in order, as PostgreSQL writes and reads them.
    """

    project_id: str
    env: str
    id: str
    type: str
    payload: str
    source: str | None
    client_event_id: str | None
    client_timestamp: str | None
    body_hash: str | None


class Stored(NamedTuple):
    """What became of it: ``accepted``, ``duplicate`` (``id`` is the first one's), ``conflict`` or ``quota``."""

    id: str
    outcome: str


# A column travels as one text and is taken apart in the database: the driver writes arrays value by value, which
# cost more than everything else that is done for an event of a batch. No field may hold a control character: names
# with one are refused, and JSON escapes them. An empty text stands for NULL, since no field may be empty either.
_SEPARATOR = "\x1e"
_KINDS = ("uuid", "text", "uuid", "text", "text", "text", "text", "timestamptz", "bytea")
_COLUMNS = ", ".join(f"string_to_array(${n}::text, E'\\x1e', '')::{kind}[]" for n, kind in enumerate(_KINDS, start=1))
_STORE = f"SELECT ord, event_id, outcome FROM tocsin.ingest_events({_COLUMNS}, ${len(_KINDS) + 1}, ${len(_KINDS) + 2})"  # noqa: S608 - made of constants


class EventStore:
    """Takes events one by one or in batches and commits them in groups."""

    def __init__(self, db: Database, broker: Broker) -> None:
        self._db = db
        self._broker = broker
        self._waiting: deque[tuple[list[Incoming], asyncio.Future[list[Stored]]]] = deque()
        self._count = 0
        self._unrepeated = True
        """Whether the last group held no repeat; then the next one is stored as if it held none either."""
        self._unlimited = Unlimited()
        self._under_way: set[asyncio.Task[None]] = set()

    async def store(self, events: list[Incoming]) -> list[Stored]:
        """Durable when this returns; raises Unavailable (nothing stored, or not known to be) otherwise."""
        if self._count + len(events) > MOST_WAITING:
            raise Unavailable("overloaded", "Too many events wait to be stored; try again in a second.")
        future: asyncio.Future[list[Stored]] = asyncio.get_running_loop().create_future()
        self._waiting.append((events, future))
        self._count += len(events)
        if len(self._under_way) < MOST_UNDER_WAY and (not self._under_way or self._count >= WORTH_ANOTHER):
            self._under_way.add(asyncio.create_task(self._commit_groups()))
        return await future

    async def drain(self) -> None:
        """Wait until everything taken so far is committed."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _commit_groups(self) -> None:
        """Until nothing waits, or so little that the other one takes it along."""
        me = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            while self._waiting and (self._under_way == {me} or self._count >= WORTH_ANOTHER):
                await self._commit(self._next_group())
        finally:
            self._under_way.remove(me)

    def _next_group(self) -> list[tuple[list[Incoming], asyncio.Future[list[Stored]]]]:
        group = [self._waiting.popleft()]
        size = len(group[0][0])
        while self._waiting and size + len(self._waiting[0][0]) <= MOST_IN_GROUP:
            group.append(self._waiting.popleft())
            size += len(group[-1][0])
        self._count -= size
        return group

    async def _commit(self, group: list[tuple[list[Incoming], asyncio.Future[list[Stored]]]]) -> None:
        events = [event for part, _ in group for event in part]
        try:
            stored = await self._insert(events)
        except asyncpg.DataError:
            # One row that the database cannot keep must not fail the others of its group.
            await self._commit_apart(group)
            return
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may be left without an answer
            for _, future in group:
                if not future.done():
                    future.set_exception(_unavailable(error))
            return
        self._broker.wake("events")
        position = 0
        for part, future in group:
            if not future.done():
                future.set_result(stored[position : position + len(part)])
            position += len(part)

    async def _commit_apart(self, group: list[tuple[list[Incoming], asyncio.Future[list[Stored]]]]) -> None:
        for part, future in group:
            try:
                stored = await self._insert(part)
            except Exception as error:  # noqa: BLE001 - as above
                if not future.done():
                    future.set_exception(_unavailable(error))
                continue
            self._broker.wake("events")
            if not future.done():
                future.set_result(stored)

    async def _insert(self, events: list[Incoming]) -> list[Stored]:
        crash.here("api.before_begin")
        async with self._db.hot.acquire(timeout=5) as connection:
            columns = map(_column, zip(*events, strict=True))
            crash.soon("api.under_way")
            told = await connection.fetch(_STORE, *columns, self._unrepeated, self._may_be_limited(events), timeout=10)
        crash.here("api.after_commit")
        self._unrepeated = True
        stored = [Stored(event.id, "accepted") for event in events]
        for position, id_, outcome in told:
            if outcome == "unlimited":
                self._unlimited.remember(str(id_))
                continue
            stored[position - 1] = Stored(str(id_), outcome)
            self._unrepeated = False
        return stored

    def _may_be_limited(self, events: list[Incoming]) -> bool:
        """Whether a quota could apply to any of them: the sandbox has one, and so has who was not heard of lately."""
        return any(
            env == "test" or project_id not in self._unlimited
            for project_id, env in {(event.project_id, event.env) for event in events}
        )


def _column(values: tuple[str | None, ...]) -> str | None:
    """The values of one field; None when there is none at all."""
    if None not in values:
        return _SEPARATOR.join(cast("tuple[str, ...]", values))
    return _SEPARATOR.join([value or "" for value in values]) if any(values) else None


def _unavailable(error: Exception) -> Exception:
    if is_away(error):
        return Unavailable("database_unavailable", "The event was not stored; send it again.", 2)
    return error
