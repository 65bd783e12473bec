"""A stage of the worker: telling whoever owns a connection that it has stopped, and ending the pauses of others.

An outage is told once, whoever noticed it: the row says that it is told, in the transaction that writes the mail, the
entry of the audit log, the messages to webhook endpoints and the event that rules can use (R7). It may be told again
after the connection has been well in between.
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.occurrence import occur
from tocsin.audit.record import Actor, record
from tocsin.connections.announce import Changed
from tocsin.connections.owner_mail import mail_owner
from tocsin.kit.broker import Broker
from tocsin.kit.db import Database, Env, driver
from tocsin.kit.vault import Vault

MOST_AT_ONCE = 100


class OutageStage:
    """Any number may run: an outage belongs to whoever takes it."""

    def __init__(self, db: Database, broker: Broker, vault: Vault, changed: Changed) -> None:
        self._db = db
        self._broker = broker
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
                self._broker.wake("events")
                self._changed(project_id, env, id_)
        return MOST_AT_ONCE in (len(resumed), len(untold))


async def _tell(session: AsyncSession, vault: Vault, project_id: UUID, env: Env, id_: UUID) -> bool:
    """Whether it was still to be told."""
    row = (await session.execute(_TAKE, {"project": project_id, "id": id_})).one_or_none()
    if row is None:
        return False
    after = {"after": {"name": row.name, "status": "error", "statusReason": row.status_reason}}
    await record(session, project_id, env, Actor("system", None), "connection.stopped", "connection", id_, after)
    occurred = {
        "connectionId": str(id_),
        "provider": row.provider,
        "channel": row.channel,
        "owner": row.owner,
        "name": row.name,
        "statusReason": row.status_reason,
    }
    await occur(await driver(session), project_id, env, "tocsin.connection.error", occurred)
    await mail_owner(session, vault, project_id, env, "connection_stopped", row)
    return True


_TAKE = text("""
UPDATE tocsin.connections SET outage_told = true
WHERE project_id = :project AND id = :id AND status = 'error' AND NOT outage_told
RETURNING name, provider, channel, owner, user_id, status_reason,
    tocsin.tell_webhooks(project_id, tocsin.current_env(), 'connection.error', json_build_object(
        'connectionId', id, 'provider', provider, 'channel', channel, 'owner', owner, 'name', name,
        'status', status, 'statusReason', status_reason))
""")
