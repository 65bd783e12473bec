"""Leading a provider to us: it is told where to call, or we ask it, and it is let go when a connection ends (C7).

A provider calls one address for an account. Where that is somebody else's it stays theirs, unless whoever verifies the
connection says to take it over. It is let go while the connection is suspended as well; what it has to tell waits
there.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.call import Call
from tocsin.channels.contract import Channel, Described, Registers, SendFailure
from tocsin.channels.masking import without_secrets
from tocsin.channels.registry import providers
from tocsin.connections.configuration import Configuration
from tocsin.connections.hooks import Hook, address_of, find_hook, opened_hook, opened_secret
from tocsin.connections.models import Connection
from tocsin.connections.rows import opened_credentials, read_settings
from tocsin.kit.aside import Aside
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database
from tocsin.kit.errors import Conflict
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault
from tocsin.settings import Settings

MOST_TURNS = 3
"""Changes of a connection while its provider is being told that are followed."""
LEAVE_SECONDS = 30.0
MOST_LEFT, LEFT_AT_ONCE = 1_000, 8
"""Connections of a project that ends whose providers are told."""
WORDS_KEPT = 500

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lead:
    """Where a provider shall call: ``url``, or nobody where it is polled. ``ours`` begins every address of ours."""

    db: Database
    hook: Hook
    registers: Registers[Any]
    credentials: Described
    url: str | None
    ours: str | None
    secret: str
    take_over: bool

    async def follow(self, door: Door) -> None:
        """Tell the provider. Fails like a send; raises Conflict where it calls somebody else. Not in a transaction."""
        now = (await self.registers.registration(self.credentials, door)).url
        if now is not None and now != self.url:
            self._check_free(now)
        if self.url is not None:
            await self.registers.register(self.url, self.secret, self.credentials, door)
        elif now is not None:
            await self.registers.unregister(self.credentials, door)

    def _check_free(self, url: str) -> None:
        """An address of ours is free: the account is claimed by whoever may have it (``claims.py``)."""
        if not self.take_over and not (self.ours is not None and url.startswith(self.ours)):
            host = urlsplit(url).hostname or "somebody else"
            detail = (
                f"The provider calls {host} for this account, and can call one address only."
                " Verify with takeOver to lead it here; there it is not heard any more then."
            )
            raise Conflict("webhook_taken", detail)

    async def keep(self, session: AsyncSession) -> None:
        """Note what the provider was told, in the transaction that records the trial."""
        await session.execute(_KEEP, {"connection": self.hook.connection_id, "polled": self.url is None})

    async def settle(self, door: Door) -> None:
        """Have the provider call us, or nobody, as the connection stands now, and once more if it is changed meanwhile.

        As well as it goes: why a provider could not be led back here, the connection says.
        """
        for _ in range(MOST_TURNS):
            wanted = await self._is_to_call()
            if wanted is None:
                return
            try:
                await (self.follow(door) if wanted else self._let_go(door))
            except (SendFailure, Conflict) as refusal:
                await self._note(without_secrets(str(refusal), self.credentials))
                return
            async with self.db.scope(self.hook.project_id, "live") as session:
                await (self.keep(session) if wanted else session.execute(_LEFT, {"connection": self._id}))
            if await self._is_to_call() is wanted:
                return

    @property
    def _id(self) -> UUID:
        return self.hook.connection_id

    async def _is_to_call(self) -> bool | None:
        """None where that is not ours to say any more: the address is another one, or nothing is proven."""
        async with self.db.scope(self.hook.project_id, "live") as session:
            row = (await session.execute(_STANDS, {"connection": self._id})).one_or_none()
        if row is None or row.token != self.hook.token or row.status == "pending":
            return None
        return bool(row.status != "suspended")

    async def _let_go(self, door: Door) -> None:
        if self.url is not None and (await self.registers.registration(self.credentials, door)).url == self.url:
            await self.registers.unregister(self.credentials, door)

    async def _note(self, reason: str) -> None:
        async with self.db.scope(self.hook.project_id, "live") as session:
            await session.execute(_UNLED, {"connection": self._id, "reason": reason[:WORDS_KEPT]})


# Asked for at once, unless somebody is asking.
_KEEP = text("""
UPDATE tocsin.hooks SET registered_at = now(), polled = :polled,
    poll_until = CASE WHEN poll_token IS NULL THEN '-infinity' ELSE poll_until END
WHERE connection_id = :connection
""")
_LEFT = text("UPDATE tocsin.hooks SET registered_at = NULL WHERE connection_id = :connection")
_STANDS = text("""
SELECT c.status, h.token FROM tocsin.connections c
JOIN tocsin.hooks h ON h.project_id = c.project_id AND h.connection_id = c.id WHERE c.id = :connection
""")
_UNLED = text("""
UPDATE tocsin.connections SET health_status = 'degraded', status_reason = :reason, last_health_check = now()
WHERE id = :connection AND status = 'active'
""")


async def lead_on(call: Call, row: Connection) -> None:
    """Once a suspension, or the end of one, is committed, tell the provider; nobody waits for that."""
    lead = await standing_lead_of(call, row)
    if lead is None or lead.hook.polled:
        return
    _once_committed(call, "leading a provider", lead.settle)


async def standing_lead_of(call: Call, row: Connection) -> Lead | None:
    """For a connection as it stands; None also where it was never proven, or cannot be read."""
    channel = providers().get(row.provider)
    settings, credentials = read_settings(row), await opened_credentials(call, row)
    if row.verified_at is None or not isinstance(channel, Channel) or settings is None or credentials is None:
        return None
    try:
        return await lead_of(call, row, Configuration(channel, settings, credentials))
    except Unreadable:
        return None


async def lead_of(call: Call, row: Connection, chosen: Configuration, *, take_over: bool = False) -> Lead | None:
    """None where there is nobody to tell: other providers, and the sandbox, from which nothing leaves."""
    hook = await find_hook(call.session, row.id)
    if hook is None or row.env == "test" or not isinstance(chosen.channel, Registers):
        return None
    settings = cast(Settings, call.request.app.state.settings)
    url, ours = address_of(settings, hook), f"{settings.public_url.rstrip('/')}/" if settings.public_url else None
    reachable = url is not None and chosen.channel.may_call(url) and not chosen.channel.polls(chosen.settings)
    return Lead(
        db=call.gate.db,
        hook=hook,
        registers=chosen.channel,
        credentials=chosen.credentials,
        url=url if reachable else None,
        ours=ours,
        secret=await opened_secret(call, hook),
        take_over=take_over,
    )


@dataclass(frozen=True, slots=True)
class Farewell:
    """What it takes to have a provider call nobody any more."""

    registers: Registers[Any]
    credentials: Described
    url: str | None

    async def say(self, door: Door) -> None:
        """As well as it goes: a provider that is away, or a token that is dead, keeps no connection alive. Whoever
        calls elsewhere by now is left alone."""
        with suppress(SendFailure):
            if (await self.registers.registration(self.credentials, door)).url == self.url:
                await self.registers.unregister(self.credentials, door)


def bid(call: Call, farewell: Farewell | None) -> None:
    """Once the change is committed, say it; nobody waits for that."""
    if farewell is not None:
        _once_committed(call, "letting a provider go", farewell.say)


async def farewell_of(call: Call, row: Connection, credentials: Described | None) -> Farewell | None:
    """None where the provider calls nobody for this connection."""
    hook = await find_hook(call.session, row.id)
    channel = providers().get(row.provider)
    if hook is None or credentials is None or not isinstance(channel, Registers):
        return None
    if hook.registered_at is None or hook.polled:
        return None
    return Farewell(channel, credentials, address_of(cast(Settings, call.request.app.state.settings), hook))


def _once_committed(call: Call, what: str, work: Callable[[Door], Coroutine[Any, Any, None]]) -> None:
    state = call.request.app.state
    aside, door = cast(Aside, state.aside), cast(Door, state.door)
    call.after_commit.append(lambda: aside.begin(what, work(door)))


async def leave_all(db: Database, vault: Vault, settings: Settings, door: Door, project_id: UUID) -> None:
    """Have providers call nobody for a project that is over, as well as it goes and for ``LEAVE_SECONDS`` at most."""
    farewells = await _farewells(db, vault, settings, project_id)
    room = asyncio.Semaphore(LEFT_AT_ONCE)

    async def say(farewell: Farewell) -> None:
        async with room:
            await farewell.say(door)

    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            await asyncio.gather(*map(say, farewells))
    except TimeoutError:
        log.warning("not every provider was told that a project is over", project=str(project_id))


async def _farewells(db: Database, vault: Vault, settings: Settings, project_id: UUID) -> list[Farewell]:
    found = []
    async with db.scope(project_id, "live") as session:
        for hook in (await session.scalars(_LED.limit(MOST_LEFT))).all():
            with suppress(Unreadable):
                opened = await opened_hook(session, vault, project_id, hook.connection_id)
                if opened is not None and isinstance(opened.channel, Registers):
                    found.append(Farewell(opened.channel, opened.credentials, address_of(settings, hook)))
    return found


_LED = select(Hook).where(Hook.env == "live", Hook.registered_at.is_not(None), ~Hook.polled)
