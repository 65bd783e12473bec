"""A stage of the worker: messages with a button are changed once somebody has acknowledged elsewhere (R3).

The acknowledgement writes a row for each message; here it leads to one call of the provider, and is removed. It is done
as well as it goes: what a provider refuses stays as it is, and what it cannot do now is tried a few times. Pressing the
button changes the message at once; that it is changed to the same once more is for presses whose time was over.
"""

import asyncio
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import structlog
from prometheus_client import Counter

from tocsin.channels.contract import Changeable, Channel, SendFailure, Sent, Unavailable
from tocsin.channels.registry import providers
from tocsin.connections.levels import SENDS
from tocsin.connections.opened import Closed, Opened, opened
from tocsin.kit.db import Database, Env
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault

MOST_AT_ONCE = 32
MOST_EACH = 8
"""Of one project."""
CALL_SECONDS = 10.0
LEASE_SECONDS = 60
FIRST_WAIT, MOST_TRIES = 30.0, 6
"""Each wait is twice the one before: a quarter of an hour in all, as long as a message may take on its way."""
MOST_WAIT = 3_600.0

AMENDMENTS = Counter("tocsin_amendments_total", "Messages to be changed after an acknowledgement.", ["result"])

log = structlog.get_logger(__name__)


class _Claimed(NamedTuple):
    project_id: UUID
    env: Env
    delivery_id: UUID
    tries: int


class _Change(NamedTuple):
    """What is said to the provider of one message."""

    channel: Channel[Any, Any]
    opened: Opened
    sent: Sent
    note: str
    at: datetime

    async def make(self, door: Door) -> None:
        changeable = cast(Changeable[Any, Any], self.channel)
        async with asyncio.timeout(CALL_SECONDS):
            await changeable.acknowledged(
                self.sent, self.note, self.at, self.opened.settings, self.opened.credentials, door
            )


class AmendStage:
    """As many as like may run: a message is in one hand at a time."""

    def __init__(self, db: Database, vault: Vault, door: Door) -> None:
        self._db = db
        self._vault = vault
        self._door = door

    async def run_once(self) -> bool:
        """Some of the messages that are due; True when there may be more."""
        rows = await self._db.hot.fetch(
            "SELECT project_id, env, delivery_id, tries FROM tocsin.claim_amendments($1, $2, $3)",
            MOST_AT_ONCE,
            MOST_EACH,
            LEASE_SECONDS,
        )
        results = await asyncio.gather(*[self._tried(_Claimed(*row)) for row in rows], return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                log.warning("message not changed", error=f"{type(result).__name__}: {result}"[:300])
        return bool(rows)

    async def _tried(self, claimed: _Claimed) -> None:
        """A claim counts before it is worked on, so what ends the process or fails otherwise is given up as well."""
        if claimed.tries > MOST_TRIES:
            await self._end(claimed, "given up")
        else:
            await self._amend(claimed)

    async def _amend(self, claimed: _Claimed) -> None:
        async with self._db.unit(claimed.project_id, claimed.env) as connection:
            row = await connection.fetchrow(_READ, claimed.project_id, claimed.delivery_id)
            change = await self._change(connection, row) if row is not None else None
        if row is not None and row["state"] in ("queued", "leased"):
            await self._later(claimed, 0.0)
        elif change is None:
            await self._end(claimed, "left")
        else:
            await self._made(claimed, change)

    async def _made(self, claimed: _Claimed, change: _Change) -> None:
        try:
            await change.make(self._door)
        except Unavailable as failure:
            await self._later(claimed, failure.retry_after or 0.0)
        except TimeoutError:
            await self._later(claimed, 0.0)
        except SendFailure:
            await self._end(claimed, "refused")
        else:
            await self._end(claimed, "changed")

    async def _change(self, connection: asyncpg.Connection, row: asyncpg.Record) -> _Change | None:
        """None where it has no button, or nothing can be said of it over its connection."""
        channel = providers().get(row["provider"] or "")
        sent = row["state"] in ("sent", "delivered", "read") and row["provider_message_id"] is not None
        if not sent or not isinstance(channel, Channel) or not isinstance(channel, Changeable):
            return None
        try:
            found = await opened(connection, self._vault, row["project_id"], row["connection_id"], channel)
        except Closed:
            return None
        if found is None:
            return None
        message = Sent(address=row["address"], message_id=row["provider_message_id"], answer=row["answer"] or "")
        note = f"Acknowledged by {row['name']}." if row["name"] else "Acknowledged."
        return _Change(channel, found, message, note, row["acked_at"].astimezone(ZoneInfo(row["timezone"])))

    async def _later(self, claimed: _Claimed, asked: float) -> None:
        if claimed.tries >= MOST_TRIES:
            await self._end(claimed, "given up")
            return
        seconds = min(max(FIRST_WAIT * 2 ** (claimed.tries - 1), asked), MOST_WAIT)
        async with self._db.unit(claimed.project_id, claimed.env) as connection:
            await connection.execute(_LATER, claimed.project_id, claimed.delivery_id, seconds)

    async def _end(self, claimed: _Claimed, result: str) -> None:
        AMENDMENTS.labels(result).inc()
        async with self._db.unit(claimed.project_id, claimed.env) as connection:
            await connection.execute(_END, claimed.project_id, claimed.delivery_id)


# Over a connection of the project's own that still sends: below what leaves over a lent one there is no button.
_READ = f"""
SELECT d.project_id, d.state, d.address, d.provider_message_id, d.connection_id, c.provider, n.acked_at,
    coalesce((SELECT u.name FROM tocsin.users u WHERE u.project_id = $1 AND u.id = n.acked_by), n.acked_as) AS name,
    coalesce(p.settings ->> 'timezone', 'UTC') AS timezone,
    (SELECT a.answer FROM tocsin.attempts a
        WHERE a.project_id = $1 AND a.delivery_id = d.id AND a.number = d.attempts) AS answer
FROM tocsin.deliveries d
JOIN tocsin.projects p ON p.id = d.project_id AND p.status NOT IN ('suspended', 'cancelled')
JOIN tocsin.notifications n ON n.project_id = $1 AND n.id = d.notification_id AND n.acked_at IS NOT NULL
LEFT JOIN tocsin.connections c ON c.project_id = d.connection_project AND c.id = d.connection_id
    AND c.project_id = $1 AND c.status IN {SENDS!r}
WHERE d.project_id = $1 AND d.id = $2
"""  # noqa: S608 - made of constants
_LATER = """
UPDATE tocsin.amendments SET due_at = now() + make_interval(secs => $3) WHERE project_id = $1 AND delivery_id = $2
"""
_END = "DELETE FROM tocsin.amendments WHERE project_id = $1 AND delivery_id = $2"
