"""Templates over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Response
from sqlalchemy import select

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.errors import Forbidden, NotFound
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.rules.routes import Trying
from tocsin.templates import layouts, system_mails
from tocsin.templates.models import Template
from tocsin.templates.preview import previewed
from tocsin.templates.save import refuse_in_use, refuse_mistakes, save
from tocsin.templates.schemas import (
    DefaultTemplate,
    DraftPreviewBody,
    Kind,
    Preview,
    PreviewBody,
    ProjectTemplate,
    TemplateBody,
)

router = guarded_router(tags=["templates"])


@router.get("/templates", operation_id="list_project_templates")
@needs("rules:read")
async def list_all(
    call: Called,
    paging: Annotated[Paging, Depends()],
    kind: Kind | None = None,
    name: Annotated[str | None, Query(max_length=63)] = None,
) -> Page[ProjectTemplate]:
    """The project's own; `GET /templates/defaults` has what stands without them."""
    query = select(Template)
    if kind:
        query = query.where(Template.kind == kind)
    if name:
        query = query.where(Template.name == name)
    found = await page(call.session, query, Template.id, paging, call.gate.cursors, call.place, _answer)
    return Page[ProjectTemplate](**found)


@router.get("/templates/defaults", operation_id="list_default_templates")
@needs("rules:read")
async def list_defaults(call: Called) -> list[DefaultTemplate]:
    """The mails whose words a project may replace, as they are worded otherwise, and the layout around mails."""
    mails = [DefaultTemplate(kind="system_mail", **each._asdict()) for each in system_mails.standing()]
    return [*mails, layouts.standing()]


@router.put("/templates", operation_id="save_template")
@needs("project:manage")
async def put(call: Called, body: TemplateBody) -> ProjectTemplate:
    """Write the words of one kind, name, channel and language, over those that were there."""
    key = (Template.kind == body.kind, Template.name == body.name, Template.language == body.language)
    there = select(Template).where(*key, Template.channel == (body.channel or ""), Template.env == call.env)
    found = (await call.session.scalars(there)).one_or_none()
    before = _recorded(_answer(found)) if found else None
    answer = _answer(await save(call.session, call.project_id, call.env, body))
    action = "template.updated" if before else "template.created"
    await call.audit(action, "template", answer.id, before=before, after=_recorded(answer))
    return answer


@router.post("/templates/preview", operation_id="preview_draft_template")
@needs("project:manage")
async def preview_draft(call: Called, evaluator: Trying, body: DraftPreviewBody) -> Preview:
    """What words that are not saved would print. They are checked like ones that would be; nothing is kept or sent."""
    _may_print(call, body.event_id)
    await refuse_mistakes(body)
    row = Template(project_id=call.project_id, id=new_id(), **body.model_dump(exclude={"event_id"}))
    return await previewed(call.session, evaluator, row, body.event_id)


@router.get("/templates/{template_id}", operation_id="read_template")
@needs("rules:read")
async def read(call: Called, template_id: PathId) -> ProjectTemplate:
    return _answer(await _find(call, template_id))


@router.post("/templates/{template_id}/preview", operation_id="preview_template")
@needs("rules:read")
async def preview(call: Called, evaluator: Trying, template_id: PathId, body: PreviewBody | None = None) -> Preview:
    """What it prints, with a stored event for those who may read events, else with samples. Nothing is sent."""
    event_id = body.event_id if body else None
    _may_print(call, event_id)
    return await previewed(call.session, evaluator, await _find(call, template_id), event_id)


def _may_print(call: Call, event_id: UUID | None) -> None:
    if event_id is not None and "events:read" not in call.principal.permissions:
        raise Forbidden("permission_missing", "This needs the permission events:read.")


@router.delete("/templates/{template_id}", operation_id="reset_template", status_code=204)
@needs("project:manage")
async def reset(call: Called, template_id: PathId) -> Response:
    """Take the project's words away: of a mail and the layout those of the installation stand again."""
    row = await _find(call, template_id)
    call.write_to(row.env)
    await refuse_in_use(call.session, row)
    before = _recorded(_answer(row))
    await call.session.delete(row)
    await call.audit("template.reset", "template", row.id, before=before)
    return Response(status_code=204)


async def _find(call: Call, template_id: PathId) -> Template:
    row = (await call.session.scalars(select(Template).where(Template.id == template_id))).one_or_none()
    if row is None:
        raise NotFound()
    return row


def _answer(row: Template) -> ProjectTemplate:
    fields = {name: getattr(row, name) for name in ProjectTemplate.model_fields if name != "channel"}
    return ProjectTemplate(**fields, channel=row.channel or None)


def _recorded(answer: ProjectTemplate) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True)
