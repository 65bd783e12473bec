"""Writing the audit log. Secrets never reach it: callers pass what an answer would show."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.tell import told_of
from tocsin.kit.db import as_json
from tocsin.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: ``type`` is ``user``, ``key``, ``public_key`` or ``system``."""

    type: str
    id: str | None
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


async def record(
    session: AsyncSession,
    project_id: UUID,
    env: str,
    actor: Actor,
    action: str,
    resource_type: str,
    resource_id: UUID | str | None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """One audit row, e.g. ``rule.updated`` on ``rule`` with ``{"before": ..., "after": ...}``.

    Endpoints that listen hear of it in the same statement.
    """
    told = told_of(project_id, actor.id, action, resource_type, resource_id, metadata or {})
    values: dict[str, Any] = {
        "project": project_id,
        "id": new_id(),
        "env": env,
        "action": action,
        "actor_type": actor.type,
        "actor_id": actor.id,
        "resource_type": resource_type,
        "resource_id": str(resource_id) if resource_id is not None else None,
        "metadata": as_json(metadata),
        "ip": actor.ip_address,
        "agent": (actor.user_agent or "")[:400] or None,
        "request": actor.request_id,
    }
    if told is None:
        await session.execute(text(_INSERT), values)
    else:
        await session.execute(text(_INSERT + _TELL), {**values, "happened": told[0], "told": as_json(told[1])})


_INSERT = """
INSERT INTO tocsin.audit_log (project_id, id, env, action, actor_type, actor_id, resource_type, resource_id, metadata,
    ip_address, user_agent, request_id)
VALUES (:project, :id, :env, :action, :actor_type, :actor_id, :resource_type, :resource_id, :metadata, :ip, :agent,
    :request)
"""
_TELL = "RETURNING tocsin.tell_webhooks(project_id, env, CAST(:happened AS text), CAST(:told AS json))"
