"""How fast, and how many at a time, a connection may send, whichever process does (D4).

A batch asks once for each limited connection of it: how many messages may leave within the next moments, and over how
many lanes. What does not fit goes back to the queue with its rank and a time of its own: behind what is as urgent or
more, so that a thousand that wait come back one after the other instead of all together. What is more urgent asks when
it comes, and finds no reservation in its way that is longer than those moments.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tocsin.connections.address_pauses import AddressPauses
from tocsin.connections.standing import mark_paused, pause_of
from tocsin.kit.loops import tried

HORIZON_SECONDS = 2.0
"""For how long tokens are taken in advance: what comes then and is urgent waits so long at the most."""
SOONEST_SECONDS = 0.5
LATEST_SECONDS = 300.0
"""Until what was put off asks again."""
RESUMED_PER_SECOND = 50
"""In each process, of a connection whose pause is over and that has no limit of its own."""
RESUMED_PER_ADDRESS = 1
"""A second, of one address whose own pause is over."""
PAUSED = "the provider asked for a pause"
REMEMBERED = 1_000

_TAKE = "SELECT granted, held, starts_in, again_in FROM tocsin.take_turns($1, $2, $3, $4, $5, $6, $7, $8)"
_RETURN = "SELECT tocsin.return_turns($1, $2, $3, $4)"


class Limits(msgspec.Struct):
    """What is set of a connection; ``paused_until`` while its provider has asked for a pause, of which so many seconds
    were left when it was read."""

    per_second: int | None = None
    at_a_time: int | None = None
    paused_until: datetime | None = None
    pause_left: float = 0.0

    def as_of(self, read_at: datetime) -> "Limits":
        left = (self.paused_until - read_at).total_seconds() if self.paused_until else 0.0
        return msgspec.structs.replace(self, pause_left=left)


class Sender(NamedTuple):
    """A connection, and the project it belongs to."""

    project_id: UUID
    id: UUID


@dataclass(slots=True)
class Share:
    """What one batch may do over one connection. ``lanes`` are the messages it may have under way at a time."""

    sender: Sender
    holder: UUID
    left: int
    held: int
    lanes: asyncio.Semaphore | None


class Turn(NamedTuple):
    """A message may leave at ``starts_at``, of the event loop's time, over a lane of its share."""

    starts_at: float
    share: Share


class PutOff(NamedTuple):
    """A message must wait, through no fault of its own, for so many seconds."""

    seconds: float
    reason: str


class Wanting(NamedTuple):
    """Messages of one batch over one limited connection, the most urgent first, with their ranks."""

    sender: Sender
    limits: Limits
    messages: Sequence[tuple[UUID, int]]


class _Pause(NamedTuple):
    """Both are the event loop's time."""

    began: float
    until: float


class Pace:
    """The limited connections of one process."""

    def __init__(self, pool: asyncpg.Pool, lease_seconds: int) -> None:
        self._pool = pool
        self._lease_seconds = lease_seconds
        self._queues: OrderedDict[Hashable, _Queue] = OrderedDict()
        self._pauses: OrderedDict[Sender, _Pause] = OrderedDict()
        self._addresses = AddressPauses()
        self._surplus: Counter[tuple[Sender, UUID]] = Counter()
        self._returning: asyncio.Task[None] | None = None

    async def turns(self, holder: UUID, wanting: Iterable[Wanting]) -> dict[UUID, Turn | PutOff]:
        """For each message when it may leave, or until when it is put off."""
        found: dict[UUID, Turn | PutOff] = {}
        for each in wanting:
            found.update(await self._turns_of(holder, each))
        return found

    async def _turns_of(self, holder: UUID, wanting: Wanting) -> Mapping[UUID, Turn | PutOff]:
        sender, limits, messages = wanting
        if limits.pause_left > 0:
            per_second = limits.per_second or RESUMED_PER_SECOND
            return self._put_off(sender, messages, limits.pause_left, per_second, PAUSED)
        if limits.per_second is None and limits.at_a_time is None:
            return {}
        now = _now()
        granted, held, starts_in, again_in = await self._pool.fetchrow(
            _TAKE,
            *sender,
            limits.per_second,
            limits.at_a_time,
            len(messages),
            holder,
            min(HORIZON_SECONDS, self._lease_seconds / 12),
            self._lease_seconds,
        )
        share = Share(sender, holder, granted, held or 0, asyncio.Semaphore(held) if held else None)
        gap = 1 / limits.per_second if limits.per_second else 0.0
        turns: dict[UUID, Turn | PutOff] = {
            id_: Turn(now + starts_in + gap * nth if gap else now, share)
            for nth, (id_, _) in enumerate(messages[:granted])
        }
        if granted == len(messages):
            return turns
        again_in -= HORIZON_SECONDS / 2  # so that the next ones are at hand when these have left
        rate = min(filter(None, (limits.per_second, limits.at_a_time)))
        return {**turns, **self._put_off(sender, messages[granted:], again_in, rate, "the connection's limit")}

    def put_off(self, sender: Sender, address: str | None, message: tuple[UUID, int], read_at: float) -> PutOff | None:
        """For a message whose turn has come, when the connection was paused after ``read_at``, of the loop's time, or
        its address is."""
        pause = self._pauses.get(sender)
        if pause is not None and pause.began >= read_at and (seconds := pause.until - _now()) > 0:
            return self._put_off(sender, [message], seconds, RESUMED_PER_SECOND, PAUSED)[message[0]]
        if address is not None and (seconds := self._addresses.left(sender.id, address)):
            place = (sender, address)
            return self._put_off(place, [message], seconds, RESUMED_PER_ADDRESS, f"{PAUSED} here")[message[0]]
        return None

    def _put_off(
        self, place: Hashable, messages: Sequence[tuple[UUID, int]], seconds: float, per_second: int, reason: str
    ) -> Mapping[UUID, PutOff]:
        queue = self._queues.setdefault(place, _Queue())
        self._queues.move_to_end(place)
        if len(self._queues) > REMEMBERED:
            self._queues.popitem(last=False)
        now = _now()
        earliest = now + max(seconds, SOONEST_SECONDS)
        return {id_: PutOff(queue.place(rank, earliest, 1 / per_second) - now, reason) for id_, rank in messages}

    def pause_address(self, sender: Sender, address: str, seconds: float | None) -> bool:
        """Slow down what goes to one address; whether it is the connection that has to be slowed down."""
        return self._addresses.note(sender.id, address, seconds)

    async def pause(self, connection: asyncpg.Connection, sender: Sender, seconds: float | None, reason: str) -> bool:
        """Slow one connection down on all processes, inside its project; whether that is news to its owner."""
        pause = pause_of(seconds)
        self._pauses[sender] = _Pause(_now(), _now() + pause.total_seconds())
        self._pauses.move_to_end(sender)
        if len(self._pauses) > REMEMBERED:
            self._pauses.popitem(last=False)
        return await mark_paused(connection, *sender, pause, reason)

    def done(self, share: Share) -> None:
        """A message of a share came to its end; a lane that the rest has no use for is for other processes."""
        share.left -= 1
        if share.held > share.left:
            share.held -= 1
            self._surplus[share.sender, share.holder] += 1
            if self._returning is None:
                self._returning = asyncio.create_task(self._return())

    async def _return(self) -> None:
        """Together what comes in while one is being returned. What is not returned ends with its lease."""
        await tried(self._return_all)
        self._returning = None

    async def _return_all(self) -> None:
        while self._surplus:
            (sender, holder), count = self._surplus.popitem()
            await self._pool.execute(_RETURN, *sender, holder, count)


class _Queue:
    """When those ask again that one connection had no room for: the last time given to each rank, the event loop's."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}

    def place(self, rank: int, earliest: float, gap: float) -> float:
        """Behind everybody who is as urgent or more."""
        before = max((moment for other, moment in self._last.items() if other <= rank), default=earliest)
        self._last[rank] = max(earliest, min(before + gap, _now() + LATEST_SECONDS))
        return self._last[rank]


def _now() -> float:
    return asyncio.get_running_loop().time()
