"""The audit log over HTTP: page by page, one entry, and all of it as a file."""

from typing import Annotated

from fastapi import Depends, Query
from sqlalchemy import select
from starlette.responses import StreamingResponse

from tocsin.audit.export import Format, export
from tocsin.audit.models import AuditEntry
from tocsin.audit.query import Filters, entries
from tocsin.audit.schemas import AuditAnswer, shown
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.errors import NotFound
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import FilterTime, PathId, Text
from tocsin.projects.schemas import EnvName

router = guarded_router(tags=["audit"])

_MEDIA = {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/x-ndjson"}

Word = Annotated[Text, Query(min_length=1, max_length=200)]


def _filters(
    action: Annotated[Word | None, Query(description="As it is recorded, e.g. `rule.updated`.")] = None,
    actorType: Word | None = None,
    actorId: Word | None = None,
    resourceType: Word | None = None,
    resourceId: Word | None = None,
    env: EnvName | None = None,
    since: Annotated[FilterTime | None, Query(alias="from", description="From this moment on.")] = None,
    until: Annotated[FilterTime | None, Query(alias="to", description="Before this moment.")] = None,
) -> Filters:
    return Filters(action, actorType, actorId, resourceType, resourceId, env, since, until)


Filtered = Annotated[Filters, Depends(_filters)]


@router.get("/audit", operation_id="list_audit")
@needs("audit:read")
async def list_entries(call: Called, paging: Annotated[Paging, Depends()], filters: Filtered) -> Page[AuditAnswer]:
    """What was changed in the project, live and in the sandbox, by whom and from where."""
    found = await page(call.session, entries(filters), AuditEntry.id, paging, call.gate.cursors, call.place, shown)
    return Page[AuditAnswer](**found)


@router.get(
    "/audit/export",
    operation_id="export_audit",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}, "application/x-ndjson": {}}, "description": "The file."}},
)
@needs("audit:read")
async def export_entries(call: Called, filters: Filtered, format: Format = "csv") -> StreamingResponse:
    """The same as a file, newest first: CSV for spreadsheets (UTF-8 with a byte order mark), JSONL for programs.

    In CSV a text that a spreadsheet could run as a formula gets a `'` in front. The export is itself recorded.
    """
    await call.audit("audit.exported", "audit", None, format=format)
    name = f"audit-{call.principal.project_slug}.{format}"
    return StreamingResponse(
        export(call.gate.db, call.project_id, call.env, filters, format),
        media_type=_MEDIA[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


@router.get("/audit/{entry_id}", operation_id="read_audit")
@needs("audit:read")
async def read(call: Called, entry_id: PathId) -> AuditAnswer:
    found = (await call.session.scalars(select(AuditEntry).where(AuditEntry.id == entry_id))).one_or_none()
    if found is None:
        raise NotFound()
    return shown(found)
