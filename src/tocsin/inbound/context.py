"""Where an item came in, and what whoever works on it may use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.connections.hooks import Hooked
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault


@dataclass(frozen=True, slots=True)
class Context:
    """An item of one connection. Its ``scope`` is a transaction of its project and environment; none is open.

    ``came_at`` is when the item was stored.
    """

    project_id: UUID
    env: Env
    hook: Hooked
    came_at: datetime
    db: Database
    vault: Vault
    door: Door
    broker: Broker

    @asynccontextmanager
    async def scope(self) -> AsyncIterator[AsyncSession]:
        async with self.db.scope(self.project_id, self.env) as session:
            yield session
