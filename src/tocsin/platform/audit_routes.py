"""The platform's own audit log over HTTP: what admins did, and which projects are no more."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query
from sqlalchemy import text

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.pagination import Page, Paging
from tocsin.platform.schemas import AuditEntry

router = guarded_router(tags=["platform"])

Word = Annotated[str | None, Query(max_length=100)]


@router.get("/platform/audit", operation_id="list_platform_audit")
@needs("platform:audit")
async def list_audit(
    call: Called,
    paging: Annotated[Paging, Depends()],
    action: Word = None,
    actorId: Word = None,
    resourceType: Word = None,
    resourceId: Word = None,
    since: Annotated[datetime | None, Query(description="From this moment on.")] = None,
    until: Annotated[datetime | None, Query(description="Before this moment.")] = None,
) -> Page[AuditEntry]:
    last = call.gate.cursors.open(call.place, paging.cursor) if paging.cursor is not None else None
    bound: dict[str, Any] = {
        "action": action,
        "actor": actorId,
        "type": resourceType,
        "resource": resourceId,
        "since": since,
        "until": until,
        "last": last,
        "most": paging.limit + 1,
    }
    rows = (await call.session.execute(_NEWEST if paging.newest_first else _OLDEST, bound)).all()
    items = [AuditEntry.model_validate(row) for row in rows[: paging.limit]]
    more = len(rows) > paging.limit
    return Page[AuditEntry](items=items, nextCursor=call.gate.cursors.seal(call.place, items[-1].id) if more else None)


_WANTED = """
SELECT id, action, actor_type, actor_id, resource_type, resource_id, metadata, ip_address, user_agent, request_id, at
FROM tocsin.audit_log
WHERE (CAST(:action AS text) IS NULL OR action = :action) AND (CAST(:actor AS text) IS NULL OR actor_id = :actor)
    AND (CAST(:type AS text) IS NULL OR resource_type = :type)
    AND (CAST(:resource AS text) IS NULL OR resource_id = :resource)
    AND (CAST(:since AS timestamptz) IS NULL OR at >= :since) AND (CAST(:until AS timestamptz) IS NULL OR at < :until)
"""
_NEWEST = text(_WANTED + " AND (CAST(:last AS uuid) IS NULL OR id < :last) ORDER BY id DESC LIMIT :most")
_OLDEST = text(_WANTED + " AND (CAST(:last AS uuid) IS NULL OR id > :last) ORDER BY id LIMIT :most")
