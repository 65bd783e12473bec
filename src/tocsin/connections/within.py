"""What it takes to change connections: a transaction of their project that seals, opens and keeps a record."""

from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import Env


class Within(Protocol):
    """A request's ``Call``, or the work of a command."""

    session: AsyncSession

    @property
    def project_id(self) -> UUID: ...

    @property
    def env(self) -> Env: ...

    async def seal(self, table: str, row: UUID | str, field: str, plain: str) -> str: ...

    async def open(self, table: str, row: UUID | str, field: str, sealed: str) -> str:
        """Raises Unreadable."""

    async def audit(self, action: str, kind: str, id_: UUID | str | None, **metadata: Any) -> None: ...
