"""The stage that asks providers which cannot call us: one worker of all at a time for each account.

What was told is stored together with how far it goes, in one transaction, before the next asking takes it as told: a
crash in between has it told again, and stored once. Whoever else asks for the same account, or is called for it, is in
the way of that, which shows as the connection's health.
"""

import asyncio
import time
from typing import NamedTuple
from uuid import UUID, uuid4

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.channels.contract import BadCredentials, Registers, Rejected, SendFailure, Unavailable
from tocsin.channels.masking import without_secrets
from tocsin.connections.hooks import Hooked, opened_hook
from tocsin.connections.led_away import note_led_away
from tocsin.connections.standing import mark_error
from tocsin.inbound.store import Place, store
from tocsin.kit.away import is_away
from tocsin.kit.broker import Broker, Waiter
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database, driver
from tocsin.kit.http import Door
from tocsin.kit.loops import ended
from tocsin.kit.vault import Vault

MOST = 200
"""Accounts that one worker asks for at once, each with a connection of its own: with TLS about 320 KiB, of which the
event loop takes 256 for a buffer. Where there are more, those that waited longest come first."""
READ_AT_ONCE = 8
"""Askings that ask the database at the same time, so that hundreds which begin together leave it to others."""
LEASE_SECONDS = 90
"""Far more than an asking takes."""
PAUSE_SECONDS = 30.0
"""After an asking that was refused."""
AWAY_SECONDS = 5.0
"""After one that was not answered."""
BREATH_SECONDS = 0.5
"""After one that was answered at once, and with nothing."""
CONFLICT = 409
"""To an asking: the provider calls somebody else for the account, or somebody else asks."""
SOMEBODY_ELSE = "Somebody else is told what this account hears, so it does not reach us."

log = structlog.get_logger(__name__)


class Asked(NamedTuple):
    """What a hook says at the moment it is asked for."""

    hook: Hooked
    after: str | None


class PollStage:
    def __init__(self, db: Database, vault: Vault, door: Door, broker: Broker, ear: Waiter) -> None:
        """``ear`` is woken when an asking has ended."""
        self._db = db
        self._vault = vault
        self._door = door
        self._broker = broker
        self._ear = ear
        self._turns = asyncio.Semaphore(READ_AT_ONCE)
        self._under_way: dict[asyncio.Task[None], UUID] = {}
        """The connection that each asks for."""

    async def run_once(self) -> bool:
        """Begin to ask for every account that nobody asks for, and stop where a connection was suspended meanwhile
        (C6); it never wants to look again at once."""
        await self._stop_in_vain()
        token = uuid4()
        claimed = await self._db.hot.fetch(
            "SELECT project_id, env, connection_id FROM tocsin.claim_polls($1, $2, $3)",
            MOST - len(self._under_way),
            LEASE_SECONDS,
            token,
        )
        for row in claimed:
            asking = asyncio.create_task(self._ask_safely(Place(*row), token))
            self._under_way[asking] = row["connection_id"]
            asking.add_done_callback(self._ended)
        return False

    async def _stop_in_vain(self) -> None:
        if not self._under_way:
            return
        rows = await self._db.hot.fetch("SELECT tocsin.polls_in_vain() AS id")
        in_vain = {row["id"] for row in rows}
        for asking, connection_id in self._under_way.items():
            if connection_id in in_vain:
                asking.cancel()

    def _ended(self, asking: asyncio.Task[None]) -> None:
        self._under_way.pop(asking, None)
        self._ear.wake()

    async def leave(self) -> None:
        """Stop asking. What a provider was about to tell, it tells the next worker."""
        await ended(*self._under_way)

    async def _ask_safely(self, place: Place, token: UUID) -> None:
        pause = PAUSE_SECONDS
        try:
            pause = await self._ask(place, token)
        except asyncio.CancelledError:
            pause = 0.0
            raise
        except Exception as error:  # noqa: BLE001 - the edge of a task nobody waits for
            log.warning("not asked", project=str(place.project_id), error=f"{type(error).__name__}: {error}"[:200])
        finally:
            await self._give_back(place, token, pause)

    async def _ask(self, place: Place, token: UUID) -> float:
        """One asking, stored; the seconds until the next one."""
        asked = await self._read(place, token)
        if asked is None or not isinstance(asked.hook.channel, Registers):
            return PAUSE_SECONDS
        begun = time.monotonic()
        try:
            items = await asked.hook.channel.fetch(asked.after, asked.hook.credentials, self._door)
        except SendFailure as failure:
            await self._note(place, asked.hook, failure)
            return failure.retry_after or AWAY_SECONDS if isinstance(failure, Unavailable) else PAUSE_SECONDS
        async with self._turns, self._db.scope(place.project_id, place.env) as session:
            last = items[-1].event_id if items else asked.after
            values = {"connection": place.connection_id, "token": token, "after": last}
            if (await session.execute(_ADVANCE, values)).first() is None:
                return PAUSE_SECONDS  # another worker has it, since this one was silent for too long
            await store(session, place, items)
            await session.execute(_WELL, {"connection": place.connection_id})
        if items:
            self._broker.wake("inbound")
        return 0.0 if items or time.monotonic() - begun > BREATH_SECONDS else BREATH_SECONDS

    async def _read(self, place: Place, token: UUID) -> Asked | None:
        async with self._turns, self._db.scope(place.project_id, place.env) as session:
            values = {"connection": place.connection_id, "token": token}
            row = (await session.execute(_AFTER, values)).one_or_none()
            if row is None:
                return None
            try:
                hook = await opened_hook(session, self._vault, place.project_id, place.connection_id)
            except Unreadable:
                return None
        return Asked(hook, row.polled_after) if hook is not None and hook.status in ("active", "rate_limited") else None

    async def _note(self, place: Place, hook: Hooked, failure: SendFailure) -> None:
        """Keep what a refusal says of the connection; a provider that is away says nothing of it."""
        reason = without_secrets(failure.reason, hook.credentials)[:500]
        async with self._db.scope(place.project_id, place.env) as session:
            if isinstance(failure, BadCredentials):
                connection = await driver(session)
                await mark_error(connection, place.project_id, hook.connection_id, hook.version, reason)
            elif failure.status == CONFLICT:
                await self._note_conflict(session, place, reason)
            elif isinstance(failure, Rejected):
                await session.execute(_UNWELL, {"connection": hook.connection_id, "reason": reason})

    async def _note_conflict(self, session: AsyncSession, place: Place, reason: str) -> None:
        """Tell the owner of the second in a row: the first may be an asking of our own that ended with its worker."""
        values = {"connection": place.connection_id}
        conflicts = await session.scalar(_CONFLICT, values)
        told = reason if conflicts == 1 else f"{SOMEBODY_ELSE} {reason}"
        if conflicts == 2:
            await note_led_away(session, self._vault, *place, told)
        await session.execute(_UNWELL, {**values, "reason": told})

    async def _give_back(self, place: Place, token: UUID, pause: float) -> None:
        try:
            async with self._turns, self._db.unit(place.project_id, place.env) as connection:
                await connection.execute(_GIVE_BACK, place.connection_id, token, pause)
        except Exception as error:
            if not is_away(error):
                log.exception("lease not given back", project=str(place.project_id))


_AFTER = text(
    "SELECT polled_after FROM tocsin.hooks WHERE connection_id = :connection AND poll_token = :token AND polled"
)
_ADVANCE = text("""
UPDATE tocsin.hooks SET polled_after = :after WHERE connection_id = :connection AND poll_token = :token AND polled
RETURNING connection_id
""")
_WELL = text("""
UPDATE tocsin.connections SET health_status = 'healthy', status_reason = NULL, last_health_check = now()
WHERE id = :connection AND status = 'active' AND health_status = 'degraded'
""")
_UNWELL = text("""
UPDATE tocsin.connections SET health_status = 'degraded', status_reason = :reason, last_health_check = now()
WHERE id = :connection AND status = 'active'
""")
# Two who ask in turns are answered in turns: what is well in between ends no row, but an hour does.
_CONFLICT = text("""
UPDATE tocsin.hooks SET conflict_at = now(),
    conflicts = CASE WHEN conflict_at > now() - interval '1 hour' THEN conflicts + 1 ELSE 1 END
WHERE connection_id = :connection RETURNING conflicts
""")
_GIVE_BACK = """
UPDATE tocsin.hooks SET poll_token = NULL, poll_until = now() + make_interval(secs => $3)
WHERE connection_id = $1 AND poll_token = $2
"""
