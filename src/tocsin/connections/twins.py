"""Accounts that were suspended are not sent through by another connection of the same project (C5).

A suspension stops one connection, and its owner could make a second one to the same account. So what the platform
suspended is refused as long as it is, to a person also what their project's admins suspended: by equal credentials
before the provider is asked, by its id of the account afterwards. What is suspended keeps that id, whatever its owner
changes meanwhile.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.channels.contract import Described
from tocsin.connections.models import Connection
from tocsin.connections.rows import opened_credentials
from tocsin.connections.within import Within
from tocsin.kit.db import Database, Env
from tocsin.kit.errors import Conflict


@dataclass(frozen=True, slots=True)
class Twins:
    """The suspended ones beside a connection; ``owner`` is its."""

    db: Database
    project_id: UUID
    env: Env
    connection_id: UUID
    provider: str
    owner: str

    async def ahead(self, account: str) -> None:
        """In a transaction of its own, before anything leaves. Raises Conflict."""
        async with self.db.scope(self.project_id, self.env) as session:
            await self.check(session, account)

    async def check(self, session: AsyncSession, account: str) -> None:
        """In the transaction that makes the connection active. Raises Conflict."""
        same = _suspended(self.env, self.provider, self.owner, self.connection_id).where(
            Connection.account["id"].astext == account
        )
        if row := (await session.scalars(same.limit(1))).one_or_none():
            raise _refusal(row)


async def check_credentials(
    within: Within, provider: str, owner: str, credentials: Described, but: UUID | None = None
) -> None:
    """Raises Conflict for those of a suspended connection. Where nothing is secret, nothing is known by it."""
    if not any(credentials.revealed().values()):
        return
    for row in await within.session.scalars(_suspended(within.env, provider, owner, but)):
        if await opened_credentials(within, row) == credentials:
            raise _refusal(row)


async def is_watched(within: Within, row: Connection) -> bool:
    """Whether beside this connection one of the same provider is suspended, so that it has to prove what it becomes."""
    query = _suspended(within.env, row.provider, row.owner, row.id)
    return (await within.session.scalars(query.limit(1))).one_or_none() is not None


def _suspended(env: str, provider: str, owner: str, but: UUID | None) -> Select[Any]:
    """Those whose suspension the owner of a connection cannot take back. The platform can take back its own."""
    above: ColumnElement[bool] = false() if owner == "platform" else Connection.suspended_by == "platform"
    return select(Connection).where(
        Connection.env == env,
        Connection.provider == provider,
        Connection.status == "suspended",
        Connection.id != but if but is not None else true(),
        or_(above, Connection.owner == "user") if owner == "user" else above,
    )


def _refusal(row: Connection) -> Conflict:
    who = "The platform suspended" if row.suspended_by == "platform" else "An admin of the project suspended"
    ask = "the platform's operator" if row.suspended_by == "platform" else "them"
    return Conflict("account_suspended", f"{who} a connection to this account; ask {ask} to lift that.")
