"""What the owner of a connection should see to though it works: a token that ends, an app that hears nothing (C5).

Whoever verifies reads it in the answer. What two checks in a row find, and nobody has told the owner, is mailed; it may
be mailed again once a check did not find it any more. One look alone may be a provider's slip.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.connections.owner_mail import mail_owner
from tocsin.kit.db import Env
from tocsin.kit.vault import Vault


async def note_warnings(
    session: AsyncSession, vault: Vault, project_id: UUID, env: Env, id_: UUID, row: Any, found: Sequence[str]
) -> None:
    """Keep what a check has found, and tell the owner what is new; ``row`` is the connection, held by the caller."""
    news = [each for each in found if each in row.warnings and each not in row.warned]
    warned = [each for each in found if each in row.warned or each in news]
    if (list(found), warned) != (row.warnings, row.warned):
        values = {"project": project_id, "id": id_, "warnings": list(found), "warned": warned}
        await session.execute(_KEEP, values)
    if news:
        after = {"after": {"name": row.name, "warnings": news}}
        await record(session, project_id, env, Actor("system", None), "connection.warned", "connection", id_, after)
        await mail_owner(session, vault, project_id, env, "connection_warned", row, " ".join(news))


# Not `updated_at`: what sends with it goes on.
_KEEP = text("""
UPDATE tocsin.connections SET warnings = :warnings, warned = :warned WHERE project_id = :project AND id = :id
""")
