"""One authenticated request, as endpoints and what they call know it.

The guard makes it (``auth.guard``); this module knows nothing of routes, so that what a worker shares with the API
brings no web framework along.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from tocsin.audit.record import Actor, record
from tocsin.auth.devices import Devices
from tocsin.auth.keys import Credentials
from tocsin.auth.principal import Principal
from tocsin.auth.rates import Rates
from tocsin.auth.tenant import Tenants
from tocsin.auth.tokens import Tokens
from tocsin.auth.tries import Tries
from tocsin.kit.cursors import Cursors, place_of
from tocsin.kit.db import Database, Env, switch_scope
from tocsin.kit.errors import Forbidden
from tocsin.kit.vault import Vault


@dataclass(slots=True)
class Gate:
    """What the guard works with, one per process (``app.state.gate``)."""

    db: Database
    across: Database
    """The operator's reading: named columns of every project, for endpoints under /platform alone."""
    vault: Vault
    credentials: Credentials
    tokens: Tokens
    cursors: Cursors
    rates: Rates
    tenants: Tenants
    tries: Tries
    devices: Devices
    first_rules: Callable[[AsyncSession, UUID, UUID], Awaitable[None]]
    """Gives a new project the rules that it begins with; told whose they are."""


@dataclass(slots=True)
class Call:
    """One authenticated request: who, where, and its transaction."""

    principal: Principal
    session: AsyncSession
    gate: Gate
    request: Request
    own_only: bool
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    """What must happen once the change is durable, and not otherwise: hints to other processes."""

    @property
    def project_id(self) -> UUID:
        return self.principal.project_id

    @property
    def env(self) -> Env:
        return self.principal.env

    @property
    def actor(self) -> Actor:
        return Actor(
            self.principal.kind,
            str(self.principal.id),
            client_ip(self.request),
            self.request.headers.get("user-agent"),
            request_id(self.request),
        )

    @property
    def place(self) -> bytes:
        """What cursors of this list are bound to."""
        return place_of(self.project_id, self.env, self.request.scope["path"], self.request.query_params.multi_items())

    def write_to(self, env: str) -> None:
        """Refuse a test caller who would change a live row (A2)."""
        if env != self.env:
            raise Forbidden("live_object", "This belongs to the live environment; a test caller may only read it.")

    async def audit(self, action: str, kind: str, id_: UUID | str | None, **metadata: Any) -> None:
        """Record a change in this transaction; ``metadata`` is what an answer would show (``before``, ``after``)."""
        await record(self.session, self.project_id, self.env, self.actor, action, kind, id_, metadata or None)

    @asynccontextmanager
    async def inside(self, project_id: UUID) -> AsyncIterator[AsyncSession]:
        """The same transaction, meanwhile in the live environment of another project.

        For what must happen there and here or not at all: the operator's changes, which stand in two audit logs.
        """
        await self.session.flush()
        await switch_scope(self.session, project_id, "live")
        yield self.session
        await self.session.flush()
        await switch_scope(self.session, self.project_id, self.env)

    async def seal(self, table: str, row: UUID | str, field: str, plain: str) -> str:
        return await self.gate.vault.seal(self.session, self.project_id, table, row, field, plain)

    async def open(self, table: str, row: UUID | str, field: str, sealed: str) -> str:
        return await self.gate.vault.open(self.session, self.project_id, table, row, field, sealed)


def request_id(request: Request) -> str:
    return str(request.scope.get("tocsin.request_id", ""))


def client_ip(request: Request) -> str | None:
    """Where the call comes from; the edge has looked behind proxies of ours by now."""
    return request.client.host if request.client else None
