"""Wrong secrets: who keeps sending them is locked out of that key, and a project may give the key up (A3).

The lock is for a key and a source, a /24 or a /64, and in the memory of one process: N processes bear N times as
many failures. It never meets the rightful caller: secrets that are remembered are not asked about, and a right one
is let through from the locked source too. Unknown keys are counted like known ones, so that a lock tells nothing.

What ``auto_revoke_after`` counts is kept in the database, over all processes and sources, since the last rotation.
A locked source is not counted any further, so one source alone adds twenty a minute at most in each process.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.revocation import end_key
from tocsin.auth.source import source_of
from tocsin.kit.db import Database
from tocsin.kit.errors import TooManyRequests

TRIES = 20
WITHIN_SECONDS = 60.0
LOCKED_SECONDS = 60.0
_REMEMBERED = 50_000
"""Sources and keys. Beyond them the oldest are forgotten, and with them their lock."""


@dataclass(slots=True)
class _Failures:
    """Of one source with one key. ``right`` are the MACs of the key's secrets, as they were at the last failure."""

    since: float
    count: int = 0
    locked_until: float = 0.0
    key_id: UUID | None = None
    right: tuple[bytes, ...] = ()


class Guesses:
    """The failures that this process has seen."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def check(self, key: str, ip: str | None, is_right: Callable[[bytes], bool]) -> None:
        """Raise TooManyRequests while the key is locked for this source, unless the secret fits what is kept of one."""
        failures = self._failures.get((key, source_of(ip)))
        if failures is None:
            return
        seconds_left = failures.locked_until - time.monotonic()
        if seconds_left > 0 and not any(is_right(kept) for kept in failures.right):
            raise TooManyRequests(
                "too_many_attempts",
                "Too many wrong secrets for this key came from your network; wait, or send the right one.",
                headers={"Retry-After": str(int(seconds_left) + 1)},
            )

    async def failed(self, key: str, ip: str | None, row: Any = None, right: tuple[bytes, ...] = ()) -> None:
        """Note a wrong secret; ``row`` is the key as ``find_api_key`` gave it, if there is one."""
        now = time.monotonic()
        name = (key, source_of(ip))
        failures = self._failures.get(name)
        if failures is None or (failures.since + WITHIN_SECONDS < now and failures.locked_until < now):
            failures = self._failures[name] = _Failures(now)
            if len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)
        failures.count += 1
        failures.key_id, failures.right = (row.id, right) if row is not None else (None, ())
        if failures.count >= TRIES:
            failures.locked_until = now + LOCKED_SECONDS
            failures.count = 0
        if row is not None and row.auto_revoke_after is not None:
            await self._count(row, ip)

    def forget_key(self, key_id: UUID) -> None:
        """Its secrets are others now."""
        for name in [name for name, failures in self._failures.items() if failures.key_id == key_id]:
            del self._failures[name]

    async def _count(self, row: Any, ip: str | None) -> None:
        async with self._db.scope(row.project_id, row.env) as session:
            counted = (await session.execute(_COUNT, {"id": row.id})).one_or_none()
            if counted is None:
                return
            failures, most = counted.failed_secrets, counted.auto_revoke_after
            if failures == (most + 1) // 2:
                await _tell(session, row, "key.guessed", failures, most, ip)
            if failures >= most:
                await end_key(session, row.project_id, row.id, counted.key)
                await _tell(session, row, "key.revoked", failures, most, ip)


async def _tell(session: AsyncSession, row: Any, action: str, failures: int, most: int, ip: str | None) -> None:
    """Into the project's audit log; the address is that of the last failure."""
    metadata = {"failedSecrets": failures, "autoRevokeAfter": most}
    await record(session, row.project_id, row.env, Actor("system", None, ip), action, "api_key", row.id, metadata)


_COUNT = text("""
UPDATE tocsin.api_keys SET failed_secrets = failed_secrets + 1,
    status = CASE WHEN failed_secrets + 1 >= auto_revoke_after THEN 'revoked' ELSE status END, updated_at = now()
WHERE id = :id AND status = 'active' AND auto_revoke_after IS NOT NULL
RETURNING key, failed_secrets, auto_revoke_after
""")
