"""Mails to the person whose a connection is, or to the project's owner, about what has become of it (C5)."""

from typing import Any, Literal
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.channels.registry import providers
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Env
from tocsin.kit.vault import Vault
from tocsin.mail.post import post

log = structlog.get_logger(__name__)


async def mail_owner(
    session: AsyncSession,
    vault: Vault,
    project_id: UUID,
    env: Env,
    kind: Literal["connection_stopped", "connection_led_away", "connection_warned"],
    row: Any,
    reason: str | None = None,
) -> None:
    """Mail whoever's the connection is; ``row`` has ``name``, ``provider``, ``user_id`` and ``status_reason``, which is
    the reason where none is given."""
    owner = (await session.execute(_OWNER, {"project": project_id, "user": row.user_id})).one_or_none()
    if owner is None:
        return
    provider = providers().get(row.provider)
    details = {
        "connection": row.name,
        "provider": provider.title if provider else row.provider,
        "reason": reason or row.status_reason or "its credentials were refused",
    }
    try:
        await post(session, vault, project_id, env, kind, owner.email, details, user_id=owner.id)
    except Unreadable as error:
        # Without its mail it is told all the same; and those of other projects wait behind it.
        log.error("no mail about a connection", project=str(project_id), error=str(error))


# The person whose it is; of the project's the owner, else whoever has been an owner or an admin of it for longest.
_OWNER = text("""
SELECT u.id, u.email FROM tocsin.users u
WHERE u.project_id = :project AND u.id = CAST(:user AS uuid) AND u.email IS NOT NULL AND u.status = 'active'
UNION ALL
(SELECT u.id, u.email FROM tocsin.projects p
JOIN tocsin.user_roles h ON h.project_id = p.id
JOIN tocsin.roles r ON r.project_id = h.project_id AND r.id = h.role_id AND r.built_in AND r.name IN ('owner', 'admin')
JOIN tocsin.users u ON u.project_id = h.project_id AND u.id = h.user_id
WHERE p.id = :project AND CAST(:user AS uuid) IS NULL AND u.email IS NOT NULL AND u.status = 'active'
ORDER BY u.id = p.owner_id DESC, r.name = 'owner' DESC, u.id LIMIT 1)
""")
