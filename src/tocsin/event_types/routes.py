"""Event types over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Response
from sqlalchemy import select

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.event_types.models import EventType, SeenType
from tocsin.event_types.save import save, tell
from tocsin.event_types.schemas import EventTypeAnswer, EventTypeCreate, EventTypeUpdate, SeenTypeAnswer, TypeName
from tocsin.kit.errors import NotFound
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId

router = guarded_router(tags=["event types"])


@router.post("/event-types", operation_id="create_event_type", status_code=201)
@needs("rules:manage")
async def create(call: Called, body: EventTypeCreate) -> EventTypeAnswer:
    """Say what events of a type look like. The example is checked against the schema."""
    row = EventType(project_id=call.project_id, id=new_id(), env=call.env, **_columns(body.model_dump()))
    await save(call.session, call.project_id, row)
    answer = await _answer(call, row)
    await call.audit("event_type.created", "event_type", row.id, after=_recorded(answer))
    return answer


@router.get("/event-types", operation_id="list_event_types")
@needs("rules:read")
async def list_all(
    call: Called,
    paging: Annotated[Paging, Depends()],
    name: Annotated[
        TypeName | None, Query(description="The one of this name; in the sandbox there may be two.")
    ] = None,
) -> Page[EventTypeAnswer]:
    query = select(EventType)
    if name:
        query = query.where(EventType.name == name)
    found = await page(call.session, query, EventType.id, paging, call.gate.cursors, call.place, lambda row: row)
    items = await _answers(call, found["items"])
    return Page[EventTypeAnswer](items=items, nextCursor=found["nextCursor"])


@router.get("/event-types/seen", operation_id="list_seen_event_types")
@needs("rules:read")
async def list_seen(call: Called, paging: Annotated[Paging, Depends()]) -> Page[SeenTypeAnswer]:
    """Which types the project has sent, the first 1,000 of them, by when they were first seen."""
    found = await page(
        call.session, select(SeenType), SeenType.id, paging, call.gate.cursors, call.place, lambda row: row
    )
    names = [row.name for row in found["items"]]
    registered = set(await call.session.scalars(select(EventType.name).where(EventType.name.in_(names))))
    items = [
        SeenTypeAnswer(
            name=row.name,
            registered=row.name in registered,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
        )
        for row in found["items"]
    ]
    return Page[SeenTypeAnswer](items=items, nextCursor=found["nextCursor"])


@router.get("/event-types/{event_type_id}", operation_id="read_event_type")
@needs("rules:read")
async def read(call: Called, event_type_id: PathId) -> EventTypeAnswer:
    return await _answer(call, await _find(call, event_type_id))


@router.put("/event-types/{event_type_id}", operation_id="change_event_type")
@needs("rules:manage")
async def change(call: Called, event_type_id: PathId, body: EventTypeUpdate) -> EventTypeAnswer:
    """Change what is sent; what is left out stays. In force on every process within a second."""
    row = await _find(call, event_type_id)
    call.write_to(row.env)
    before = await _answer(call, row)
    for column, value in _columns(body.model_dump(exclude_unset=True)).items():
        setattr(row, column, value)
    await save(call.session, call.project_id, row)
    await call.session.refresh(row)
    after = await _answer(call, row)
    await call.audit("event_type.updated", "event_type", row.id, before=_recorded(before), after=_recorded(after))
    return after


@router.delete("/event-types/{event_type_id}", operation_id="delete_event_type", status_code=204)
@needs("rules:manage")
async def delete(call: Called, event_type_id: PathId) -> Response:
    """Forget what was said about a type. Its events go on as ever."""
    row = await _find(call, event_type_id)
    call.write_to(row.env)
    before = await _answer(call, row)
    await call.session.delete(row)
    await tell(call.session, row)
    await call.audit("event_type.deleted", "event_type", row.id, before=_recorded(before))
    return Response(status_code=204)


def _columns(fields: dict[str, Any]) -> dict[str, Any]:
    return {"schema" if name == "payload_schema" else name: value for name, value in fields.items()}


async def _find(call: Call, event_type_id: PathId) -> EventType:
    row = (await call.session.scalars(select(EventType).where(EventType.id == event_type_id))).one_or_none()
    if row is None:
        raise NotFound()
    return row


async def _answer(call: Call, row: EventType) -> EventTypeAnswer:
    (answer,) = await _answers(call, [row])
    return answer


async def _answers(call: Call, rows: Sequence[EventType]) -> list[EventTypeAnswer]:
    """With when each was last seen in the caller's environment."""
    names = [row.name for row in rows]
    found = await call.session.execute(select(SeenType.name, SeenType.last_seen_at).where(SeenType.name.in_(names)))
    seen = {row.name: row.last_seen_at for row in found}
    return [_shown(row, seen.get(row.name)) for row in rows]


def _shown(row: EventType, last_seen_at: datetime | None) -> EventTypeAnswer:
    told = {"payload_schema": row.schema, "last_seen_at": last_seen_at}
    fields = {name: getattr(row, name) for name in EventTypeAnswer.model_fields if name not in told}
    return EventTypeAnswer(**fields, **told)


def _recorded(answer: EventTypeAnswer) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True)
