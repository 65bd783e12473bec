"""A stage of the worker: telling whoever owns a connection that it has stopped, and ending the pauses of others.

An outage is told once, whoever noticed it: the row says that it is told, in the transaction that writes the mail, the
entry of the audit log and the messages to webhook endpoints. It may be told again after the connection has been well
in between.
"""

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.channels.registry import providers
from tocsin.connections.announce import Changed
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database, Env
from tocsin.kit.vault import Vault
from tocsin.mail.post import post

MOST_AT_ONCE = 100

log = structlog.get_logger(__name__)


class OutageStage:
    """Any number may run: an outage belongs to whoever takes it."""

    def __init__(self, db: Database, vault: Vault, changed: Changed) -> None:
        self._db = db
        self._vault = vault
        self._changed = changed

    async def run_once(self) -> bool:
        """True when there may be more."""
        resumed = await self._db.hot.fetch("SELECT project_id, env, id FROM tocsin.end_pauses($1)", MOST_AT_ONCE)
        for project_id, env, id_ in resumed:
            self._changed(project_id, env, id_)
        untold = await self._db.hot.fetch("SELECT project_id, env, id FROM tocsin.untold_outages($1)", MOST_AT_ONCE)
        for project_id, env, id_ in untold:
            async with self._db.scope(project_id, env) as session:
                told = await _tell(session, self._vault, project_id, env, id_)
            if told:
                self._changed(project_id, env, id_)
        return MOST_AT_ONCE in (len(resumed), len(untold))


async def _tell(session: AsyncSession, vault: Vault, project_id: UUID, env: Env, id_: UUID) -> bool:
    """Whether it was still to be told."""
    row = (await session.execute(_TAKE, {"project": project_id, "id": id_})).one_or_none()
    if row is None:
        return False
    after = {"after": {"name": row.name, "status": "error", "statusReason": row.status_reason}}
    await record(session, project_id, env, Actor("system", None), "connection.stopped", "connection", id_, after)
    await _mail(session, vault, project_id, env, row)
    return True


async def _mail(session: AsyncSession, vault: Vault, project_id: UUID, env: Env, row: Any) -> None:
    owner = (await session.execute(_OWNER, {"project": project_id, "user": row.user_id})).one_or_none()
    if owner is None:
        return
    provider = providers().get(row.provider)
    details = {
        "connection": row.name,
        "provider": provider.title if provider else row.provider,
        "reason": row.status_reason or "its credentials were refused",
    }
    try:
        await post(session, vault, project_id, env, "connection_stopped", owner.email, details, user_id=owner.id)
    except Unreadable as error:
        # Without its mail it is told all the same; and those of other projects wait behind it.
        log.error("no mail about a connection", project=str(project_id), error=str(error))


_TAKE = text("""
UPDATE tocsin.connections SET outage_told = true
WHERE project_id = :project AND id = :id AND status = 'error' AND NOT outage_told
RETURNING name, provider, user_id, status_reason,
    tocsin.tell_webhooks(project_id, tocsin.current_env(), 'connection.error', json_build_object(
        'connectionId', id, 'provider', provider, 'channel', channel, 'owner', owner, 'name', name,
        'status', status, 'statusReason', status_reason))
""")
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
