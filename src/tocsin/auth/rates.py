"""Counting calls against limits, across processes, without a database's answer for each (A3).

A process reserves calls in blocks, in one statement, and hands them out from memory: 1/200 of an hour's quota, a
tenth of a second's, one call at least. So the count is never too high for all processes together, and a block that
a process does not use up is lost to the others: with N processes, up to N blocks of an hour may be refused too early.
Windows are fixed: an hour is that of the clock, in UTC, so around its end twice the quota may pass within an hour.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tocsin.auth.limits import HOUR, Limit
from tocsin.auth.principal import Principal
from tocsin.kit.db import Database
from tocsin.kit.errors import TooManyRequests

HEADERS = "tocsin.rate_limit"
"""Where a request's scope carries the header lines of its answer."""

_BLOCKS_OF_AN_HOUR = 200
_BLOCKS_OF_A_SECOND = 10
_REMEMBERED = 50_000
_RESERVE = "SELECT taken, seconds_left FROM tocsin.reserve_calls($1, $2, $3, $4)"
_TRIES = 3


class Rates:
    """The windows of the limited callers that this process has met."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._windows: OrderedDict[tuple[UUID, str, int], _Window] = OrderedDict()

    async def charge(self, caller: Principal, scope: MutableMapping[str, Any]) -> None:
        """Count this call; raises TooManyRequests when a limit is reached. Either way the answer will say where
        the caller stands (draft-ietf-httpapi-ratelimit-headers-10)."""
        windows = [self._window(caller.project_id, limit) for limit in caller.limits]
        try:
            for window in windows:
                if not window.take() and not await self._refill(window):
                    raise _too_many(window)
        finally:
            scope[HEADERS] = _headers(windows)

    def _window(self, project_id: UUID, limit: Limit) -> "_Window":
        name = (project_id, limit.subject, limit.seconds)
        window = self._windows.get(name)
        if window is None or window.limit != limit:
            window = self._windows[name] = _Window(project_id, limit)
            if len(self._windows) > _REMEMBERED:
                self._windows.popitem(last=False)
        self._windows.move_to_end(name)
        return window

    async def _refill(self, window: "_Window") -> bool:
        """Reserve a further block, one at a time for each window, and take a call of it; False: nothing is left."""
        async with window.refilling:
            for _ in range(_TRIES):
                if window.take():
                    return True
                if window.spent:
                    return False
                await self._reserve(window)
            return window.take()

    async def _reserve(self, window: "_Window") -> None:
        limit = window.limit
        blocks = _BLOCKS_OF_AN_HOUR if limit.seconds == HOUR else _BLOCKS_OF_A_SECOND
        block = max(1, limit.quota // blocks)
        row = await self._db.hot.fetchrow(_RESERVE, window.project_id, limit.subject, limit.seconds, block)
        window.taken = row["taken"]
        window.left = min(block, max(0, limit.quota - (window.taken - block)))
        window.ends = time.monotonic() + row["seconds_left"]


@dataclass(slots=True)
class _Window:
    """One limit: what all processes reserved when this one did last, and what is left of its own block."""

    project_id: UUID
    limit: Limit
    ends: float = 0.0
    taken: int = 0
    left: int = 0
    refilling: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self) -> bool:
        if not self.left or time.monotonic() >= self.ends:
            return False
        self.left -= 1
        return True

    @property
    def spent(self) -> bool:
        """Whether asking again before the window ends would be in vain."""
        return self.left == 0 and self.taken >= self.limit.quota and time.monotonic() < self.ends

    @property
    def remaining(self) -> int:
        return max(0, self.limit.quota - self.taken) + self.left

    @property
    def seconds_left(self) -> int:
        return min(self.limit.seconds, max(1, math.ceil(self.ends - time.monotonic())))


def _headers(windows: list[_Window]) -> list[tuple[bytes, bytes]]:
    policies = [f'"{w.limit.policy}";q={w.limit.quota};w={w.limit.seconds}' for w in windows]
    states = [f'"{w.limit.policy}";r={w.remaining};t={w.seconds_left}' for w in windows]
    return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(states).encode())]


def _too_many(window: _Window) -> TooManyRequests:
    limit = window.limit
    whose = "This project" if limit.policy == "hour" else "This API key"
    per = "an hour" if limit.seconds == HOUR else "a second"
    return TooManyRequests(
        "rate_limited",
        f"{whose} may make {limit.quota} calls {per}; the limit is reached.",
        headers={"Retry-After": str(window.seconds_left)},
    )
