"""The one transaction of an import, as connections are changed in it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.kit.db import Env
from tocsin.kit.vault import Vault


@dataclass(slots=True)
class Work:
    """In the live environment of a project; ``command`` stands in the audit log as who did it."""

    session: AsyncSession
    vault: Vault
    project_id: UUID
    command: str
    env: Env = "live"

    async def seal(self, table: str, row: UUID | str, field: str, plain: str) -> str:
        return await self.vault.seal(self.session, self.project_id, table, row, field, plain)

    async def open(self, table: str, row: UUID | str, field: str, sealed: str) -> str:
        return await self.vault.open(self.session, self.project_id, table, row, field, sealed)

    async def audit(self, action: str, kind: str, id_: UUID | str | None, **metadata: Any) -> None:
        actor = Actor("system", self.command)
        await record(self.session, self.project_id, self.env, actor, action, kind, id_, metadata or None)
