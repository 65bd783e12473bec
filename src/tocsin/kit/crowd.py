"""So many requests at once, the more urgent ones first; the others wait for a moment and are then sent away (P11).

A process that takes on everything answers nobody in time. So there are places, and each kind of request may hold
some of them: whatever the others do, there is room left for what is more urgent. Who finds none waits up to a tenth
of a second for one; places that become free go to the most urgent kind first, and in a kind in order of arrival.
"""

import asyncio
from collections import Counter as Count
from collections import deque
from enum import IntEnum
from typing import TypeVar

from prometheus_client import Counter, Gauge

from tocsin.kit.errors import Problem, Unavailable

WAIT_SECONDS = 0.1
MOST_WAITING = 2
"""For each place; beyond it a place could not come in time."""

TURNED_AWAY = Counter("tocsin_requests_turned_away_total", "Requests refused before any work.", ["kind", "code"])
PLACES = Gauge("tocsin_requests_in_work", "Requests that hold a place, events apart.")

Refusal = TypeVar("Refusal", bound=Problem)


class Kind(IntEnum):
    """The most urgent first."""

    ACKNOWLEDGEMENT = 0
    ORDINARY = 1
    HEAVY = 2
    """Reads a whole project, or computes for long."""
    OUTSIDE = 3
    """Mostly waits for somebody else's server. Its places are its own: waiting costs little, and lasts."""


SHARES = {Kind.ACKNOWLEDGEMENT: 1.0, Kind.ORDINARY: 0.75, Kind.HEAVY: 0.125, Kind.OUTSIDE: 4.0}
"""What a kind may hold at most, as a part of all places."""


class Crowd:
    """The places of one process."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._most = {kind: max(1, int(places * share)) for kind, share in SHARES.items()}
        self._inside: Count[Kind] = Count()
        self._waiting: dict[Kind, deque[asyncio.Future[None]]] = {kind: deque() for kind in Kind}
        PLACES.set_function(self._inside.total)

    def check(self, kind: Kind) -> None:
        """Raises Unavailable when it would be in vain to wait, before any more is done for the request."""
        if len(self._waiting[kind]) >= self._places * MOST_WAITING:
            raise overcrowded(kind)

    async def enter(self, kind: Kind) -> None:
        """Take a place, to be given back with ``leave``; raises Unavailable when none became free in time."""
        if self._has_room(kind) and not self._waiting[kind]:
            self._inside[kind] += 1
            return
        self.check(kind)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[kind].append(place)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await place
        except (TimeoutError, asyncio.CancelledError) as gave_up:
            if not place.cancelled():
                self.leave(kind)  # it came at the very moment
            elif place in self._waiting[kind]:
                self._waiting[kind].remove(place)
            if isinstance(gave_up, TimeoutError):
                raise overcrowded(kind) from None
            raise

    def leave(self, kind: Kind) -> None:
        """Give a place back; whoever waited longest among the most urgent has it at once."""
        self._inside[kind] -= 1
        for waiting in Kind:
            while self._waiting[waiting] and self._has_room(waiting):
                place = self._waiting[waiting].popleft()
                if not place.done():  # given up, and not yet gone
                    self._inside[waiting] += 1
                    place.set_result(None)

    def _has_room(self, kind: Kind) -> bool:
        taken = self._inside.total() - self._inside[Kind.OUTSIDE]
        return self._inside[kind] < self._most[kind] and (kind is Kind.OUTSIDE or taken < self._places)


def overcrowded(kind: Kind) -> Unavailable:
    detail = "This server has more to do than it can at the moment; try again."
    return turned_away(kind.name.lower(), Unavailable("overloaded", detail))


def turned_away(kind: str, problem: Refusal) -> Refusal:
    """The same problem, counted."""
    TURNED_AWAY.labels(kind, problem.code).inc()
    return problem
