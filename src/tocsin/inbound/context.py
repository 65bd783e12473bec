"""Where an item came in, and what whoever works on it may use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.connections.address_pauses import AddressPauses
from tocsin.connections.announce import Changed
from tocsin.connections.hooks import Hooked
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env
from tocsin.kit.http import Door
from tocsin.kit.vault import Vault

Seconds = Annotated[int, msgspec.Meta(ge=0, le=32_503_680_000)]
"""A time as providers tell it: whole seconds since 1970."""

SUSPENDED = "the connection is suspended"
"""Why nothing follows from what is neither a status nor somebody's word that they want no more."""


@dataclass(frozen=True, slots=True)
class Context:
    """An item of one connection. Its ``scope`` is a transaction of its project and environment; none is open.

    ``came_at`` is when the item was stored, ``changed`` tells of another status of the connection,
    ``pauses`` are of the chats of this process.
    """

    project_id: UUID
    env: Env
    hook: Hooked
    came_at: datetime
    db: Database
    vault: Vault
    door: Door
    broker: Broker
    changed: Changed
    pauses: AddressPauses

    @property
    def suspended(self) -> bool:
        """Nothing is said and nobody let in. What became of messages, and who wants no more, counts all the same."""
        return self.hook.status == "suspended"

    @asynccontextmanager
    async def scope(self) -> AsyncIterator[AsyncSession]:
        async with self.db.scope(self.project_id, self.env) as session:
            yield session

    def said_at(self, seconds: int | None) -> datetime:
        """When something was said that its provider dates so, or not at all: as late as it can have been, so that what
        comes in order within one second stays in order."""
        if seconds is None:
            return self.came_at
        return min(datetime.fromtimestamp(seconds, UTC) + timedelta(seconds=1), self.came_at)
