"""Which provider's items mean what: one line for each that calls us back."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.connections.hooks import Hooked
from tocsin.inbound import whatsapp
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault


@dataclass(frozen=True, slots=True)
class Context:
    """Where an item came in. Its ``scope`` is a transaction of that project and environment; none is open."""

    project_id: UUID
    env: Env
    hook: Hooked
    db: Database
    vault: Vault
    door: Door
    broker: Broker

    @asynccontextmanager
    async def scope(self) -> AsyncIterator[AsyncSession]:
        async with self.db.scope(self.project_id, self.env) as session:
            yield session


Receiver: TypeAlias = Callable[[Any, Context], Awaitable[str | None]]
"""Works on one item: None when it did, else why nothing follows from it. Done twice it has to come to the same as once,
for a process may die before it is recorded. Anything it raises is a try that failed."""

RECEIVERS: Mapping[str, Receiver] = {"whatsapp": whatsapp.receive}
