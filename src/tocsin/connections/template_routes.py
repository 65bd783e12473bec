"""Texts that a provider has to approve, over HTTP (C8)."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends
from sqlalchemy import select

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.connections.rows import find
from tocsin.connections.templates import MessageTemplate
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import Answer, PathId, Time

router = guarded_router(tags=["connections"])


class TemplateAnswer(Answer):
    id: UUID
    name: str
    language: str
    status: str
    category: str | None
    places: int | None
    changed_at: Time


@router.get("/connections/{connection_id}/templates", operation_id="list_templates")
@needs("connections:read", own=True)
async def list_templates(
    call: Called, connection_id: PathId, paging: Annotated[Paging, Depends()]
) -> Page[TemplateAnswer]:
    """The templates of the account with their status, as the provider last said. `verify` reads them anew."""
    await find(call, connection_id)
    query = select(MessageTemplate).where(MessageTemplate.connection_id == connection_id)
    found = await page(call.session, query, MessageTemplate.id, paging, call.gate.cursors, call.place, lambda row: row)
    return Page[TemplateAnswer](
        items=[TemplateAnswer.model_validate(row) for row in found["items"]], nextCursor=found["nextCursor"]
    )
