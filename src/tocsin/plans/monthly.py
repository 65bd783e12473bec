"""Quotas of a month, counted in the transaction that writes the rows (Q3).

Counters come first in the order of locks: ``hold`` stands before anything else a transaction changes, ``spend`` where
it is known how many rows there are. A project without a limit holds nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.ids import id_time
from tocsin.plans.quotas import exhausted, month_of

_HOLD = "SELECT period, used, allowed, overage FROM tocsin.hold_quotas($1, $2, $3)"
_SPEND = "SELECT tocsin.spend_quotas($1, $2, $3, $4, $5)"


@dataclass(frozen=True, slots=True)
class _Counter:
    used: int
    allowed: int
    overage: bool


@dataclass(frozen=True, slots=True)
class Held:
    """The counters of one project and quota that this transaction holds, by month."""

    project_id: UUID
    quota: str
    counters: dict[date, _Counter]

    async def spend(self, connection: asyncpg.Connection, ids: Sequence[UUID]) -> set[UUID]:
        """Count rows by their ids, each in its month; those that the quota has no room for, and that do not count."""
        amounts = dict.fromkeys(self.counters, 0)
        refused = set()
        for id_ in ids:
            month = month_of(id_time(id_))
            counter = self.counters.get(month)
            if counter is None:
                continue
            if counter.overage or counter.used + amounts[month] < counter.allowed:
                amounts[month] += 1
            else:
                refused.add(id_)
        if amounts:
            many = len(amounts)
            alloweds = [counter.allowed for counter in self.counters.values()]
            await connection.execute(
                _SPEND,
                [self.project_id] * many,
                [self.quota] * many,
                list(amounts),
                list(amounts.values()),
                alloweds,
            )
        return refused


async def hold(connection: asyncpg.Connection, project_id: UUID, quota: str, ids: Collection[UUID]) -> Held:
    """Lock the counters that rows with these ids would count towards, as far as the project is limited."""
    months = sorted({month_of(id_time(id_)) for id_ in ids})
    rows = []
    if months:
        many = len(months)
        rows = await connection.fetch(_HOLD, [project_id] * many, [quota] * many, months)
    return Held(
        project_id,
        quota,
        {row["period"]: _Counter(row["used"], row["allowed"], row["overage"]) for row in rows},
    )


async def hold_one(session: AsyncSession, project_id: UUID, quota: str) -> "OneHeld":
    """The same for a single row that counts towards the current month, in a request's transaction."""
    now = datetime.now(UTC)
    place = {"project": project_id, "quota": quota, "period": month_of(now)}
    row = (await session.execute(_HOLD_ONE, place)).one_or_none()
    return OneHeld(place, now, _Counter(row.used, row.allowed, row.overage) if row else None)


@dataclass(frozen=True, slots=True)
class OneHeld:
    """Room for one, or a refusal, until the end of the transaction."""

    place: dict[str, Any]
    now: datetime
    counter: _Counter | None

    async def spend(self, session: AsyncSession) -> None:
        """Count one; raises TooManyRequests when there is no room for it."""
        if self.counter is None:
            return
        if not self.counter.overage and self.counter.used >= self.counter.allowed:
            raise exhausted(self.place["quota"], self.now)
        await session.execute(_SPEND_ONE, {**self.place, "allowed": self.counter.allowed})


_HOLD_ONE = text("""
SELECT used, allowed, overage FROM tocsin.hold_quotas(
    ARRAY[CAST(:project AS uuid)], ARRAY[CAST(:quota AS text)], ARRAY[CAST(:period AS date)])
""")
_SPEND_ONE = text("""
SELECT tocsin.spend_quotas(ARRAY[CAST(:project AS uuid)], ARRAY[CAST(:quota AS text)], ARRAY[CAST(:period AS date)],
    ARRAY[1::bigint], ARRAY[CAST(:allowed AS bigint)])
""")
