"""The mails of every project for the operator's terminal: an installation without a mail server stays usable.

Read with the installer's login as the owner of the tables, whom no project confines; never by a serving process.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from tocsin.kit.dsn import plain_url
from tocsin.kit.roles import Roles
from tocsin.kit.vault import Vault
from tocsin.mail.post import details_of
from tocsin.mail.words import Words, written

MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """One mail without what it says."""

    id: UUID
    project_slug: str
    kind: str
    recipient: str
    state: str
    attempts: int
    last_error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Printed:
    """One mail with what it says; ``url`` is None for a kind without a link."""

    mail: Listed
    words: Words
    url: str | None


async def listed(installer_url: str, roles: Roles, *, project_slug: str | None = None, every: bool) -> list[Listed]:
    """The newest mails that were not sent, or with ``every`` those that were, too; at most 100."""
    async with _as_owner(installer_url, roles) as connection:
        rows = await connection.fetch(_LIST, project_slug, every, MOST_LISTED)
    return [_listed(row) for row in rows]


async def printed(installer_url: str, roles: Roles, vault: Vault, mail_id: UUID) -> Printed | None:
    """A mail with its link, or None where there is none of this id. Raises Unreadable."""
    async with _as_owner(installer_url, roles) as connection:
        row = await connection.fetchrow(_ONE, mail_id)
        if row is None:
            return None
        details = await details_of(connection, vault, row["project_id"], mail_id, row["details"])
    return Printed(_listed(row), written(row["kind"], row["project_name"], details), details.get("url"))


@asynccontextmanager
async def _as_owner(installer_url: str, roles: Roles) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(plain_url(installer_url), timeout=10)
    try:
        await connection.execute(f"SET ROLE {roles.owner}")
        yield connection
    finally:
        await connection.close()


def _listed(row: asyncpg.Record) -> Listed:
    return Listed(**{name: row[name] for name in Listed.__dataclass_fields__})


_COLUMNS = """
SELECT m.project_id, m.id, p.slug AS project_slug, p.name AS project_name, m.kind, m.recipient, m.details, m.state,
    m.attempts, m.last_error, m.created_at
FROM tocsin.mails m JOIN tocsin.projects p ON p.id = m.project_id
"""
_LIST = f"""{_COLUMNS}
WHERE ($1::text IS NULL OR p.slug = $1) AND ($2 OR m.state IN ('queued', 'failed')) ORDER BY m.id DESC LIMIT $3
"""
_ONE = f"{_COLUMNS} WHERE m.id = $1"
