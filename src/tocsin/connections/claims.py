"""Whose an account at a provider is: one connection's, of all projects, where the provider is heard (T2).

A provider that tells us things tells them once: of two connections to a bot each would hear a part. So whoever proves
an account claims it, compared by a keyed hash. A connection that is ``pending`` or in ``error`` has proven nothing now
and gives way; a suspended one does not, or a suspension could be walked around.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.call import Call
from tocsin.channels.contract import Inbound
from tocsin.channels.registry import providers
from tocsin.connections.models import Connection
from tocsin.kit.db import Database
from tocsin.kit.errors import Conflict
from tocsin.kit.vault import Vault

TAKEN = "Another connection here hears this account; an account has one connection."

_PURPOSE = "provider accounts"


@dataclass(frozen=True, slots=True)
class Claim:
    """What it takes to claim an account for a live connection."""

    db: Database
    vault: Vault
    project_id: UUID
    connection_id: UUID
    provider: str

    async def ahead(self, account: str) -> None:
        """In a transaction of its own, before the provider is led here. Raises Conflict."""
        async with self.db.scope(self.project_id, "live") as session:
            await self.keep(session, account)

    async def keep(self, session: AsyncSession, account: str) -> None:
        """In the transaction that makes the connection active. Raises Conflict."""
        if not await claimed(session, self.vault, self.provider, self.connection_id, account):
            raise Conflict("account_taken", TAKEN)


def claim_of(call: Call, row: Connection) -> Claim | None:
    """None in the sandbox, where nobody is asked whose an account is, and of a provider that tells us nothing."""
    if row.env == "test" or not tells(row.provider):
        return None
    return Claim(call.gate.db, call.gate.vault, row.project_id, row.id, row.provider)


async def keep_proven(call: Call, row: Connection) -> None:
    """Claim once more the account that was proven before, which somebody else may have by now. Raises Conflict."""
    claim = claim_of(call, row)
    if claim is not None and row.account is not None:
        await claim.keep(call.session, row.account["id"])


def tells(provider: str) -> bool:
    """Whether the provider tells us things, and each to one address."""
    channel = providers().get(provider)
    return isinstance(channel, Inbound) and channel.tells_once


async def claimed(session: AsyncSession, vault: Vault, provider: str, connection_id: UUID, account: str) -> bool:
    """Whether the account is this connection's from now on; in the scope of its project."""
    hashes = vault.fingerprints(_PURPOSE, f"{provider}:{account}")
    return bool(await session.scalar(_CLAIM, {"connection": connection_id, "hashes": hashes}))


_CLAIM = text("SELECT tocsin.claim_account(:connection, :hashes)")
