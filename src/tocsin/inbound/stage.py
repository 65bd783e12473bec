"""The stage that works on what providers told us.

A look takes connections, not items: the items of one connection are worked on one after the other, in the order in
which they came, by one worker at a time. A turn is short, so that a connection with much to tell keeps nobody waiting.
An item that fails is tried again, later each time, while those behind it go on; after the last try it is ``failed``.
"""

import asyncio
import time
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import msgspec
import structlog
from prometheus_client import Counter

from tocsin.channels.contract import Unavailable
from tocsin.channels.masking import without_secrets
from tocsin.connections.address_pauses import AddressPauses
from tocsin.connections.announce import Changed
from tocsin.connections.hooks import Hooked, opened_hook
from tocsin.inbound.context import Context
from tocsin.inbound.later import NotYet
from tocsin.inbound.receivers import RECEIVERS
from tocsin.kit.away import is_away
from tocsin.kit.broker import Broker
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database, Env
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault

TURNS = 16
"""Connections that one worker works on at once."""
MOST_EACH = 4
"""Of one project."""
TURN_SECONDS = 15.0
ITEM_SECONDS = 30.0
LEASE_SECONDS = 60
RETRY_SECONDS = (5, 30, 120, 600, 3_600)
"""Between two tries; after the one behind the last wait an item is given up."""

NOBODY = UUID(int=0)

ITEMS = Counter("tocsin_inbound_items_total", "Items of providers by what became of them.", ["provider", "state"])

log = structlog.get_logger(__name__)


class Claimed(NamedTuple):
    project_id: UUID
    env: Env
    connection_id: UUID


class Outcome(NamedTuple):
    """What became of a try; ``wait`` are the seconds until the next one of an item that stays ``received``."""

    state: str
    error: str | None = None
    wait: float = 0.0


class InboundStage:
    def __init__(self, db: Database, vault: Vault, door: Door, broker: Broker, changed: Changed) -> None:
        self._db = db
        self._vault = vault
        self._door = door
        self._broker = broker
        self._changed = changed
        self._pauses = AddressPauses()
        self._after = NOBODY
        self._turns: set[asyncio.Task[None]] = set()

    async def run_once(self) -> bool:
        """Begin turns at connections where something waits; False when there are none, or no room for more."""
        if len(self._turns) >= TURNS:
            await asyncio.wait(self._turns, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            return True
        token = uuid4()
        claimed = await self._claim(TURNS - len(self._turns), token)
        for each in claimed:
            turn = asyncio.create_task(self._turn(each, token))
            self._turns.add(turn)
            turn.add_done_callback(self._turns.discard)
        return bool(claimed)

    async def drain(self, seconds: float) -> None:
        """Let the turns come to an end; what does not is worked on by another process when its lease is over."""
        if self._turns:
            await asyncio.wait(self._turns, timeout=seconds)
        for turn in self._turns:
            turn.cancel()

    async def _claim(self, room: int, token: UUID) -> list[Claimed]:
        rows = await self._db.hot.fetch(
            "SELECT project_id, env, connection_id FROM tocsin.claim_inbound($1, $2, $3, $4, $5)",
            self._after,
            max(room // MOST_EACH, 1),
            min(room, MOST_EACH),
            LEASE_SECONDS,
            token,
        )
        if not rows and self._after != NOBODY:
            self._after = NOBODY
            return await self._claim(room, token)
        self._after = max((row["project_id"] for row in rows), default=NOBODY)
        return [Claimed(*row) for row in rows]

    async def _turn(self, claimed: Claimed, token: UUID) -> None:
        """Work on what waits at one connection, and give it back. Where that cannot be done now, its lease runs out."""
        try:
            hook = await self._opened(claimed)
            if hook is not None:
                await self._work(claimed, hook)
                await self._give_back(claimed, token)
        except Unreadable as error:
            log.warning("inbound not readable", project=str(claimed.project_id), error=str(error)[:200])
        except Exception as error:
            if is_away(error):
                log.warning("inbound interrupted", project=str(claimed.project_id), error=str(error)[:200])
            else:
                log.exception("inbound turn failed", project=str(claimed.project_id))

    async def _opened(self, claimed: Claimed) -> Hooked | None:
        async with self._db.scope(claimed.project_id, claimed.env) as session:
            return await opened_hook(session, self._vault, claimed.project_id, claimed.connection_id)

    async def _work(self, claimed: Claimed, hook: Hooked) -> None:
        ends_at = time.monotonic() + TURN_SECONDS
        while time.monotonic() < ends_at:
            async with self._db.unit(claimed.project_id, claimed.env) as connection:
                item = await connection.fetchrow(_TAKE, claimed.project_id, claimed.connection_id)
            by_now = await self._by_now(claimed, hook, item) if item is not None else None
            if by_now is None:
                return
            hook = by_now
            outcome = await _tried(self._context(claimed, hook, item["received_at"]), item)
            async with self._db.unit(claimed.project_id, claimed.env) as connection:
                await connection.execute(_RECORD, claimed.project_id, item["id"], *outcome)
            ITEMS.labels(hook.channel.provider, outcome.state).inc()

    async def _by_now(self, claimed: Claimed, hook: Hooked, item: asyncpg.Record) -> Hooked | None:
        """The connection as it is when an item is taken: suspended it says no more, with another token uses it (C6)."""
        if (item["status"], item["version"]) == (hook.status, hook.version):
            return hook
        return await self._opened(claimed)

    def _context(self, claimed: Claimed, hook: Hooked, came_at: datetime) -> Context:
        use = (self._db, self._vault, self._door, self._broker, self._changed, self._pauses)
        return Context(claimed.project_id, claimed.env, hook, came_at, *use)

    async def _give_back(self, claimed: Claimed, token: UUID) -> None:
        async with self._db.unit(claimed.project_id, claimed.env) as connection:
            await connection.execute(_GIVE_BACK, claimed.project_id, claimed.connection_id, token)


async def _tried(context: Context, item: asyncpg.Record) -> Outcome:
    receiver = RECEIVERS.get(context.hook.channel.provider)
    if receiver is None:
        return Outcome("ignored", "nothing here reads this provider's messages")
    if item["attempts"] > len(RETRY_SECONDS) + 1:
        return Outcome("failed", item["last_error"] or "its tries ended without a word")
    try:
        async with asyncio.timeout(ITEM_SECONDS):
            reason = await receiver(msgspec.json.decode(item["payload"]), context)
    except NotYet as early:
        return _later(item, "ignored", str(early))
    except Exception as error:
        if is_away(error) and not isinstance(error, TimeoutError):
            raise
        return _again(context, item, error)
    return Outcome("processed" if reason is None else "ignored", reason)


def _again(context: Context, item: asyncpg.Record, error: Exception) -> Outcome:
    words = without_secrets(f"{type(error).__name__}: {error}", context.hook.credentials)[:500]
    log.warning("inbound item failed", project=str(context.project_id), item=str(item["id"]), error=words[:200])
    return _later(item, "failed", words, error.retry_after if isinstance(error, Unavailable) else None)


def _later(item: asyncpg.Record, at_last: str, words: str, asked: float | None = None) -> Outcome:
    """Another try, no sooner than the provider ``asked`` for, or the end of them in the state ``at_last``."""
    if item["attempts"] > len(RETRY_SECONDS):
        return Outcome(at_last, words)
    usually = RETRY_SECONDS[item["attempts"] - 1]
    return Outcome("received", words, float(min(max(usually, asked or 0), RETRY_SECONDS[-1])))


# The count goes up before the try, so that an item that ends processes is known by it.
_TAKE = """
UPDATE tocsin.inbound_raw r SET attempts = r.attempts + 1
FROM tocsin.connections c
WHERE c.project_id = $1 AND c.id = $2 AND r.project_id = $1 AND r.id = (
    SELECT w.id FROM tocsin.inbound_raw w
    WHERE w.project_id = $1 AND w.connection_id = $2 AND w.state = 'received' AND w.due_at <= now()
    ORDER BY w.id LIMIT 1)
RETURNING r.id, r.event_id, r.payload, r.attempts, r.last_error, r.received_at, c.status, c.updated_at AS version
"""
_RECORD = """
UPDATE tocsin.inbound_raw SET state = $3, last_error = $4, due_at = now() + make_interval(secs => $5),
    ended_at = CASE WHEN $3 <> 'received' THEN now() END
WHERE project_id = $1 AND id = $2
"""
_GIVE_BACK = """
UPDATE tocsin.hooks SET lease_until = '-infinity', lease_token = NULL
WHERE project_id = $1 AND connection_id = $2 AND lease_token = $3
"""
