"""Leading a provider to us: it is told where to call, or we ask it, and it is let go when a connection ends (C7).

A provider calls one address for an account. Where that is somebody else's it stays theirs, unless whoever verifies the
connection says to take it over.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from sqlalchemy import text

from tocsin.auth.guard import Call
from tocsin.channels.contract import Described, Registers, SendFailure
from tocsin.channels.registry import providers
from tocsin.connections.configuration import Configuration
from tocsin.connections.hooks import Hook, address_of, find_hook, opened_secret
from tocsin.connections.models import Connection
from tocsin.kit.errors import Conflict
from tocsin.kit.http import Door
from tocsin.settings import Settings


@dataclass(frozen=True, slots=True)
class Lead:
    """Where a provider shall call: ``url``, or nobody where it is polled. ``ours`` begins every address of ours."""

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

    async def keep(self, call: Call) -> None:
        """Note what the provider was told, in the transaction that records the trial."""
        await call.session.execute(_KEEP, {"connection": self.hook.connection_id, "polled": self.url is None})


# Asked for at once, unless somebody is asking.
_KEEP = text("""
UPDATE tocsin.hooks SET registered_at = now(), polled = :polled,
    poll_until = CASE WHEN poll_token IS NULL THEN '-infinity' ELSE poll_until END
WHERE connection_id = :connection
""")


async def lead_of(call: Call, row: Connection, chosen: Configuration, *, take_over: bool = False) -> Lead | None:
    """None where there is nobody to tell: other providers, and the sandbox, from which nothing leaves."""
    hook = await find_hook(call.session, row.id)
    if hook is None or row.env == "test" or not isinstance(chosen.channel, Registers):
        return None
    settings = cast(Settings, call.request.app.state.settings)
    url, ours = address_of(settings, hook), f"{settings.public_url.rstrip('/')}/" if settings.public_url else None
    reachable = url is not None and chosen.channel.may_call(url) and not chosen.channel.polls(chosen.settings)
    return Lead(
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


async def farewell_of(call: Call, row: Connection, credentials: Described | None) -> Farewell | None:
    """None where the provider calls nobody for this connection."""
    hook = await find_hook(call.session, row.id)
    channel = providers().get(row.provider)
    if hook is None or credentials is None or not isinstance(channel, Registers):
        return None
    if hook.registered_at is None or hook.polled:
        return None
    return Farewell(channel, credentials, address_of(cast(Settings, call.request.app.state.settings), hook))
