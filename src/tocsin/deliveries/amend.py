"""A stage of the worker: messages with a button are changed once somebody has acknowledged elsewhere (R3).

The acknowledgement writes a row for each message; here it leads to one call of the provider, and is removed. It is done
as well as it goes: what a provider refuses stays as it is, and what it cannot do now is tried a few times. Pressing the
button changes the message at once; that it is changed to the same once more is for presses whose time was over.

A change is a call like a message: it takes its turn where the connection has limits, waits while it is paused, behind
all messages that do, and is no try while it waits; and what is one too many pauses the connection (D4).
"""

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import structlog
from prometheus_client import Counter

from tocsin.channels.contract import Changeable, Channel, SendFailure, Sent, Unavailable, is_too_many
from tocsin.channels.masking import without_secrets
from tocsin.channels.registry import providers
from tocsin.connections.announce import Changed
from tocsin.connections.choose import STILL
from tocsin.connections.levels import SENDS
from tocsin.connections.opened import Closed, Opened, opened
from tocsin.deliveries.pace import Limits, Pace, PutOff, Sender, Turn, Wanting
from tocsin.deliveries.queue import RETRY_RANK
from tocsin.kit.db import Database, Env
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault

MOST_AT_ONCE = 32
MOST_EACH = 8
"""Of one project."""
CALL_SECONDS = 10.0
LEASE_SECONDS = 60
TURN_SECONDS = 30.0
"""How long the turn of a connection is waited for; what does not come in that time asks again."""
FIRST_WAIT, MOST_TRIES = 30.0, 6
"""Each wait is twice the one before: a quarter of an hour in all, as long as a message may take on its way."""
MOST_WAIT = 3_600.0
LONGEST_WAIT = timedelta(hours=24)
"""From the acknowledgement, for the turn of a connection."""
RANK = 2 * RETRY_RANK
"""Behind every message."""

AMENDMENTS = Counter("tocsin_amendments_total", "Messages to be changed after an acknowledgement.", ["result"])

log = structlog.get_logger(__name__)


T = TypeVar("T")


class _Claimed(NamedTuple):
    project_id: UUID
    env: Env
    delivery_id: UUID
    tries: int


class _Change(NamedTuple):
    """What is said to the provider of one message."""

    claimed: _Claimed
    sender: Sender
    limits: Limits
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

    def __init__(self, db: Database, vault: Vault, door: Door, pace: Pace, changed: Changed) -> None:
        """``changed`` is called when a provider has asked for a pause."""
        self._db = db
        self._vault = vault
        self._door = door
        self._pace = pace
        self._changed = changed

    async def run_once(self) -> bool:
        """Some of the messages that are due; True when there may be more."""
        rows = await self._db.hot.fetch(
            "SELECT project_id, env, delivery_id, tries FROM tocsin.claim_amendments($1, $2, $3)",
            MOST_AT_ONCE,
            MOST_EACH,
            LEASE_SECONDS,
        )
        read = await _each(self._read(_Claimed(*row)) for row in rows)
        changes = [change for change in read if change is not None]
        turns = await self._pace.turns(uuid4(), _wanting(changes))
        await _each(self._in_turn(change, turns.get(change.claimed.delivery_id)) for change in changes)
        return bool(rows)

    async def _read(self, claimed: _Claimed) -> _Change | None:
        """None where nothing is to be said, or not now. A claim counts before it is worked on, so what ends the process
        or fails otherwise is given up as well."""
        if claimed.tries > MOST_TRIES:
            await self._end(claimed, "given up")
            return None
        async with self._db.unit(claimed.project_id, claimed.env) as connection:
            row = await connection.fetchrow(_READ, claimed.project_id, claimed.delivery_id)
            change = await self._change(connection, claimed, row) if row is not None else None
        if row is not None and row["state"] in ("queued", "leased"):
            await self._later(claimed, 0.0)
        elif change is None:
            await self._end(claimed, "left")
        return change

    async def _in_turn(self, change: _Change, turn: Turn | PutOff | None) -> None:
        if isinstance(turn, PutOff):
            await self._put_off(change, turn.seconds)
        elif turn is None:
            await self._make(change)
        else:
            try:
                await self._at_turn(change, turn)
            finally:
                self._pace.done(turn.share)

    async def _at_turn(self, change: _Change, turn: Turn) -> None:
        """Make it when its turn comes, unless that is late or the connection has been changed or paused meanwhile."""
        lane = turn.share.lanes or asyncio.Semaphore()
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await asyncio.sleep(turn.starts_at - asyncio.get_running_loop().time())
                await lane.acquire()
        except TimeoutError:
            await self._put_off(change, 0.0)
            return
        try:
            if await self._still_sends(change):
                await self._make(change)
            else:
                await self._put_off(change, 0.0)
        finally:
            lane.release()

    async def _still_sends(self, change: _Change) -> bool:
        async with self._db.unit(change.claimed.project_id, change.claimed.env) as connection:
            return bool(await connection.fetchval(STILL, *change.sender, change.opened.version))

    async def _make(self, change: _Change) -> None:
        try:
            await change.make(self._door)
        except Unavailable as failure:
            if is_too_many(failure):
                await self._pause(change, failure)
            await self._later(change.claimed, failure.retry_after or 0.0)
        except TimeoutError:
            await self._later(change.claimed, 0.0)
        except SendFailure:
            await self._end(change.claimed, "refused")
        else:
            await self._end(change.claimed, "changed")

    async def _pause(self, change: _Change, failure: Unavailable) -> None:
        """Slow the connection down for messages, too."""
        project_id, env, _, _ = change.claimed
        reason = without_secrets(failure.reason, change.opened.credentials)
        async with self._db.unit(project_id, env) as connection:
            news = await self._pace.pause(connection, change.sender, failure.retry_after, reason)
        if news:
            self._changed(project_id, env, change.sender.id)

    async def _change(self, connection: asyncpg.Connection, claimed: _Claimed, row: asyncpg.Record) -> _Change | None:
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
        return _Change(
            claimed,
            Sender(row["project_id"], row["connection_id"]),
            Limits(row["rate_limit_rps"], row["max_concurrent"], row["paused_until"]).as_of(row["read_at"]),
            channel,
            found,
            message,
            note,
            row["acked_at"].astimezone(ZoneInfo(row["timezone"])),
        )

    async def _later(self, claimed: _Claimed, asked: float) -> None:
        if claimed.tries >= MOST_TRIES:
            await self._end(claimed, "given up")
            return
        seconds = min(max(FIRST_WAIT * 2 ** (claimed.tries - 1), asked), MOST_WAIT)
        async with self._db.unit(claimed.project_id, claimed.env) as connection:
            await connection.execute(_LATER, claimed.project_id, claimed.delivery_id, seconds)

    async def _put_off(self, change: _Change, seconds: float) -> None:
        """It goes back as it came: no try is spent. Whoever reads it after a day knows without it."""
        claimed = change.claimed
        if datetime.now(UTC) - change.at > LONGEST_WAIT:
            await self._end(claimed, "given up")
            return
        async with self._db.unit(claimed.project_id, claimed.env) as connection:
            await connection.execute(_PUT_OFF, claimed.project_id, claimed.delivery_id, seconds)

    async def _end(self, claimed: _Claimed, result: str) -> None:
        AMENDMENTS.labels(result).inc()
        async with self._db.unit(claimed.project_id, claimed.env) as connection:
            await connection.execute(_END, claimed.project_id, claimed.delivery_id)


async def _each(work: Iterable[Awaitable[T]]) -> list[T]:
    """What came of each; what is wrong with one is no other's business."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            log.warning("message not changed", error=f"{type(result).__name__}: {result}"[:300])
    return [result for result in results if not isinstance(result, BaseException)]


def _wanting(changes: Iterable[_Change]) -> list[Wanting]:
    """Of each connection what is to be changed over it."""
    found: dict[Sender, tuple[Limits, list[tuple[UUID, int]]]] = {}
    for change in changes:
        found.setdefault(change.sender, (change.limits, []))[1].append((change.claimed.delivery_id, RANK))
    return [Wanting(sender, limits, messages) for sender, (limits, messages) in found.items()]


# Over a connection of the project's own that still sends: below what leaves over a lent one there is no button.
_READ = f"""
SELECT d.project_id, d.state, d.address, d.provider_message_id, d.connection_id, c.provider, n.acked_at,
    c.rate_limit_rps, c.max_concurrent, CASE WHEN c.status = 'rate_limited' THEN c.paused_until END AS paused_until,
    now() AS read_at,
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
_PUT_OFF = """
UPDATE tocsin.amendments SET due_at = now() + make_interval(secs => $3), tries = tries - 1
WHERE project_id = $1 AND delivery_id = $2
"""
_END = "DELETE FROM tocsin.amendments WHERE project_id = $1 AND delivery_id = $2"
