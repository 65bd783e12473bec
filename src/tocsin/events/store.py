"""Group commit: events of all callers of this process, stored by one statement and one fsync (E1, E2).

There is no timer. A group is sent as soon as none is under way; what arrives meanwhile is the next group. So
a lone event waits for nothing, and a thousand at once share one commit. Where batches pile up, a second group
goes beside the first, so that the database does not wait while this process reads and answers.

What waits is bounded in requests, events and bytes; beyond that the caller is told at once to come back. When a
group takes longer than two seconds the database is taken to hang: whatever waits behind it is answered 503, and one
request at a time is let through to find out whether it is back (P11).
"""

import asyncio
from collections import deque
from typing import NamedTuple, cast
from uuid import UUID

import asyncpg
import msgspec
import structlog
from prometheus_client import Gauge

from tocsin.kit import crash
from tocsin.kit.away import is_away
from tocsin.kit.broker import Broker
from tocsin.kit.crowd import turned_away
from tocsin.kit.db import Database, Env
from tocsin.kit.errors import Unavailable
from tocsin.plans.unlimited import Unlimited

MOST_IN_GROUP = 1_000
MOST_IN_GROUP_BYTES = 8 * 1024 * 1024
MOST_WAITING = 20_000
MOST_WAITING_BYTES = 32 * 1024 * 1024
"""Of payloads, in characters. A single request may go beyond either bound by its own size, 5 MiB at most."""
STALLED_SECONDS = 2.0
"""How long a group may take before those behind it are told not to wait."""
MOST_UNDER_WAY = 2
WORTH_ANOTHER = 100
"""Waiting events for which a second group is sent beside the first; fewer share the next commit."""

WAITING = Gauge("tocsin_events_waiting_to_be_stored", "Events in memory, accepted by nobody yet.")

log = structlog.get_logger(__name__)

_NOTE = """
INSERT INTO tocsin.event_hops (project_id, env, event_id, hops) SELECT $1, $2, unnest($3::uuid[]), $4
"""

Part = tuple[list["Incoming"], asyncio.Future[list["Stored"]], int]
"""The events of one request, who waits for them, and the characters of their payloads."""


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


class Stored(msgspec.Struct, gc=False):
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

    def __init__(self, db: Database, broker: Broker, most_requests: int) -> None:
        """``most_requests`` may wait, however few events each brings."""
        self._db = db
        self._broker = broker
        self._most_requests = most_requests
        self._waiting: deque[Part] = deque()
        self._count = 0
        self._bytes = 0
        self._stalled = False
        """Whether the last group failed or takes too long; until one succeeds, one request at a time is tried."""
        self._unrepeated = True
        """Whether the last group held no repeat; then the next one is stored as if it held none either."""
        self._unlimited = Unlimited()
        self._under_way: set[asyncio.Task[None]] = set()
        WAITING.set_function(lambda: self._count)

    @property
    def full(self) -> bool:
        """Whether the next request would be refused; asked before anything is read of it."""
        return (
            len(self._waiting) >= self._most_requests
            or self._count >= MOST_WAITING
            or self._bytes >= MOST_WAITING_BYTES
            or (self._stalled and bool(self._under_way))
        )

    def refusal(self) -> Unavailable:
        """What to tell whoever comes while it is full."""
        if self._stalled:
            return turned_away("events", _database_away())
        return turned_away("events", Unavailable("overloaded", "Too many events wait to be stored; try again."))

    async def store(self, events: list[Incoming], hops: int = 0) -> list[Stored]:
        """Durable when this returns; raises Unavailable (nothing stored, or not known to be) otherwise.

        ``hops`` is how often they have passed through Tocsin before; it is there before whatever they lead to.
        """
        if self.full:
            raise self.refusal()
        if hops:
            await self._note(events, hops)
        future: asyncio.Future[list[Stored]] = asyncio.get_running_loop().create_future()
        size = sum([len(event.payload) for event in events])
        self._waiting.append((events, future, size))
        self._count += len(events)
        self._bytes += size
        if len(self._under_way) < MOST_UNDER_WAY and (not self._under_way or self._count >= WORTH_ANOTHER):
            self._under_way.add(asyncio.create_task(self._commit_groups()))
        return await future

    async def _note(self, events: list[Incoming], hops: int) -> None:
        first = events[0]
        try:
            async with self._db.unit(UUID(first.project_id), cast(Env, first.env)) as connection:
                await connection.execute(_NOTE, first.project_id, first.env, [each.id for each in events], hops)
        except Exception as error:
            raise _unavailable(error) from error

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

    def _next_group(self) -> list[Part]:
        group: list[Part] = []
        count = size = 0
        while self._waiting and (not group or self._fits(count, size)):
            group.append(self._waiting.popleft())
            count += len(group[-1][0])
            size += group[-1][2]
        self._count -= count
        self._bytes -= size
        return group

    def _fits(self, count: int, size: int) -> bool:
        events, _, more = self._waiting[0]
        return count + len(events) <= MOST_IN_GROUP and size + more <= MOST_IN_GROUP_BYTES

    async def _commit(self, group: list[Part]) -> None:
        events = [event for part, _, _ in group for event in part]
        watch = asyncio.get_running_loop().call_later(STALLED_SECONDS, self._stall)
        try:
            stored = await self._insert(events)
        except asyncpg.DataError:
            # One row that the database cannot keep must not fail the others of its group.
            await self._commit_apart(group)
            return
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may be left without an answer
            self._stalled = is_away(error)
            for _, future, _ in group:
                _fail(future, _unavailable(error))
            return
        finally:
            watch.cancel()
        self._stalled = False
        self._broker.wake("events")
        position = 0
        for part, future, _ in group:
            if not future.done():
                future.set_result(stored[position : position + len(part)])
            position += len(part)

    def _stall(self) -> None:
        """A group hangs: nobody waits behind it for longer, and nothing more is kept in memory for it."""
        self._stalled = True
        if self._waiting:
            log.warning("the database does not store events", waiting=self._count)
        while self._waiting:
            _, future, _ = self._waiting.popleft()
            _fail(future, self.refusal())
        self._count = self._bytes = 0

    async def _commit_apart(self, group: list[Part]) -> None:
        for part, future, _ in group:
            try:
                stored = await self._insert(part)
            except Exception as error:  # noqa: BLE001 - as above
                _fail(future, _unavailable(error))
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


def _fail(future: asyncio.Future[list[Stored]], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _unavailable(error: Exception) -> Exception:
    return _database_away() if is_away(error) else error


def _database_away() -> Unavailable:
    return Unavailable("database_unavailable", "The event was not stored; send it again.")
