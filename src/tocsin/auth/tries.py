"""Guessing made slow for strangers, without a way to shut anybody out (A4, P18).

A try is counted before it is made, so that many at once are not more than so many, and given back when it was
right. Counters are rows of the platform's project: they hold for every process, and a name in one is a keyed hash,
so the table tells nothing of who was tried. Unknown accounts are counted like known ones.

A stranger shares the counters of the account and of the own network. Whoever shows a device cookie of the account
(``devices``) has one of their own, which no stranger can use up.
"""

import asyncio
import math
from collections import Counter as Tally
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.source import source_of
from tocsin.kit.addresses import peer_address
from tocsin.kit.crypto import MasterKey, fingerprint
from tocsin.kit.db import Database
from tocsin.kit.errors import Problem, TooManyRequests, Unauthorized
from tocsin.kit.ids import PLATFORM_ID

WINDOW = timedelta(minutes=15)
PATIENCE_SECONDS = 2.0
"""How long a try waits for others of the same account that are still under way here, and may be right."""

_POLL_SECONDS = 0.1
_WAITING_AT_MOST = 16
_LONGEST_DOUBLING = 9  # 512 s; one more is longer than the window


@dataclass(frozen=True, slots=True)
class Pace:
    """So many tries in a quarter of an hour; then after waits of 2, 4, 8 seconds and so on, or not ``again`` in it."""

    free: int
    again: bool = True


PASSWORDS = Pace(10)
"""With the waits 18 tries in a window and less than 100 in an hour."""
CODES = Pace(5)
NETWORK = Pace(50, again=False)
FLOWS = Pace(100, again=False)
"""Of one network at one project's single sign-on: begun there and not finished, or come back without a beginning."""
REFRESHES = Pace(120, again=False)
"""Of one session, genuine ones; a client needs one in a quarter of an hour."""


class Counter(NamedTuple):
    """What is counted: a kind and whose it is."""

    kind: str
    of: str
    pace: Pace


class Tries:
    """The counters, as one process uses them."""

    def __init__(self, db: Database, master: MasterKey) -> None:
        self._db = db
        self._master = master
        self._under_way: Tally[Counter] = Tally()
        self._waiting = 0

    @asynccontextmanager
    async def attempt(self, *counters: Counter) -> AsyncIterator[None]:
        """Count one try on all of these, or raise TooManyRequests and count it on none.

        It was wrong when Unauthorized leaves the block; after any other answer it is given back. Takes transactions
        of its own before and after; hold none meanwhile.
        """
        await self._take_patiently(counters)
        self._under_way.update(counters)
        try:
            yield
        except Unauthorized:
            raise
        except Problem:
            await self.give_back(*counters)
            raise
        else:
            await self.give_back(*counters)
        finally:
            self._under_way.subtract(counters)
            self._under_way = +self._under_way

    async def spend(self, *counters: Counter) -> None:
        """Count one try that is wrong until ``give_back`` says otherwise, or raise TooManyRequests and count none."""
        wait = await self._take(counters)
        if wait is not None:
            raise _refused(wait)

    async def give_back(self, *counters: Counter) -> None:
        """Take one try from each: it led somewhere."""
        names = sorted(self._name(counter) for counter in counters)
        async with self._db.scope(PLATFORM_ID, "live") as session:
            for name in names:
                await session.execute(_GIVE_BACK, {"name": name})

    async def count(self, *counters: Counter) -> None:
        """Count what has happened already."""
        await self._take(counters)

    async def check(self, *counters: Counter) -> None:
        """Refuse whoever is to wait, and count nothing."""
        if not counters:
            return
        async with self._db.scope(PLATFORM_ID, "live") as session:
            for counter in counters:
                wait = await session.scalar(_WAIT, {"name": self._name(counter)})
                if wait is not None:
                    raise _refused(wait)

    async def _take_patiently(self, counters: tuple[Counter, ...]) -> None:
        """Ten people of one office may come in at once: who is refused while others are tried waits for those."""
        wait = await self._take(counters)
        if wait is None:
            return
        if self._waiting >= _WAITING_AT_MOST:
            raise _refused(wait)
        self._waiting += 1
        try:
            give_up_at = asyncio.get_running_loop().time() + PATIENCE_SECONDS
            while wait is not None:
                if asyncio.get_running_loop().time() > give_up_at or not any(self._under_way[c] for c in counters):
                    raise _refused(wait)
                await asyncio.sleep(_POLL_SECONDS)
                wait = await self._take(counters)
        finally:
            self._waiting -= 1

    async def _take(self, counters: tuple[Counter, ...]) -> float | None:
        """Count, or say how many seconds are to be waited."""
        if not counters:
            return None
        async with self._db.scope(PLATFORM_ID, "live") as session:
            await session.execute(_SWEEP)
            for counter in sorted(counters):  # in one order, so that two tries never stand crosswise
                wait = await self._take_one(session, counter)
                if wait is not None:
                    await session.rollback()
                    return wait
        return None

    async def _take_one(self, session: AsyncSession, counter: Counter) -> float | None:
        name = self._name(counter)
        values = {
            "platform": PLATFORM_ID,
            "name": name,
            "free": counter.pace.free,
            "again": counter.pace.again,
            "window": WINDOW,
            "longest": _LONGEST_DOUBLING,
        }
        if await session.scalar(_TAKE, values) is not None:
            return None
        return float(await session.scalar(_WAIT, {"name": name}) or 0.0)

    def _name(self, counter: Counter) -> bytes:
        return fingerprint(self._master.derive("tries"), f"{counter.kind}:{counter.of}")


def network_of(ip: str | None, kind: str = "network", pace: Pace = NETWORK) -> list[Counter]:
    """The counter of the network somebody calls from: /24, or /64 of IPv6.

    None for this machine's own address: it is the operator's or that of a proxy in front of us, and its counter
    would be everybody's.
    """
    address = peer_address(ip or "")
    if address is None or str(address) in ("127.0.0.1", "::1"):
        return []
    return [Counter(kind, source_of(ip), pace)]


def _refused(seconds: float) -> TooManyRequests:
    wait = max(1, math.ceil(seconds))
    return TooManyRequests(
        "too_many_tries",
        f"Too many tries; the next one counts in {wait} seconds.",
        headers={"Retry-After": str(wait)},
    )


# The try is let in when its time has come. Its own wait is set as if it were wrong; giving it back takes that away.
# The clock is read where the row is locked: of two tries at once, the one that began first may come second.
_TAKE = text("""
INSERT INTO tocsin.tries AS g (project_id, name, tries, began, next_at)
VALUES (:platform, :name, 1, clock_timestamp(), '-infinity')
ON CONFLICT (project_id, name) DO UPDATE SET
    tries = CASE WHEN g.began < clock_timestamp() - CAST(:window AS interval) THEN 1 ELSE g.tries + 1 END,
    began = CASE WHEN g.began < clock_timestamp() - CAST(:window AS interval) THEN clock_timestamp() ELSE g.began END,
    next_at = CASE
        WHEN g.began < clock_timestamp() - CAST(:window AS interval) OR g.tries + 1 < :free THEN '-infinity'
        WHEN :again THEN
            clock_timestamp() + interval '1 s' * 2 ^ least(g.tries + 2 - :free, CAST(:longest AS integer))
        ELSE g.began + CAST(:window AS interval) END
WHERE g.next_at <= clock_timestamp()
RETURNING g.tries
""")
_WAIT = text("""
SELECT extract(epoch FROM next_at - clock_timestamp()) FROM tocsin.tries
WHERE name = :name AND next_at > clock_timestamp()
""")
_GIVE_BACK = text("UPDATE tocsin.tries SET tries = greatest(tries - 1, 0), next_at = '-infinity' WHERE name = :name")
# Every try removes a few that count no longer, so the table holds an hour of tries and needs no other broom.
_SWEEP = text("""
DELETE FROM tocsin.tries WHERE (project_id, name) IN (
    SELECT project_id, name FROM tocsin.tries WHERE began < now() - interval '1 hour'
    ORDER BY began LIMIT 4 FOR UPDATE SKIP LOCKED)
""")
