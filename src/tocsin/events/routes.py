"""Reading events. Sending them is the hot path of `accept`."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from sqlalchemy import select, text
from sqlalchemy.orm import defer

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.event_types.schemas import TypeName
from tocsin.events.explain.explanation import explain
from tocsin.events.explain.schemas import Explanation
from tocsin.events.models import Event
from tocsin.events.schemas import EventStory, EventSummary, Status
from tocsin.events.story import read_story
from tocsin.kit.errors import FieldError, Invalid, NotFound
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import FilterId, PathId
from tocsin.rules.routes import Trying
from tocsin.users.models import User
from tocsin.users.people import find_by_external_id, find_user

router = guarded_router(tags=["events"])

_STATES = {"received": ("received", "leased"), "processed": ("processed",), "failed": ("failed",)}


@router.get("/events")
@needs("events:read")
async def list_events(
    call: Called,
    paging: Annotated[Paging, Depends()],
    type: TypeName | None = None,
    status: Status | None = None,
    clientEventId: Annotated[
        str | None, Query(min_length=1, max_length=255, description="Known for 30 days after it was sent.")
    ] = None,
) -> Page[EventSummary]:
    """What came in, without what became of it: `GET /events/{id}` tells that."""
    query = select(Event).options(defer(Event.trace, raiseload=True), defer(Event.faults, raiseload=True))
    if type:
        query = query.where(Event.type == type)
    if status:
        query = query.where(Event.state.in_(_STATES[status]))
    if clientEventId:
        # Events have no index for this; the keys that make sending repeatable are one.
        key = (
            "SELECT event_id FROM tocsin.event_keys WHERE project_id = :project AND client_event_id = :client_event_id"
        )
        known = await call.session.scalars(text(key), {"project": call.project_id, "client_event_id": clientEventId})
        query = query.where(Event.id.in_(list(known)))
    found = await page(
        call.session, query, Event.id, paging, call.gate.cursors, call.place, EventSummary.model_validate
    )
    return Page[EventSummary](**found)


@router.get("/events/{event_id}", operation_id="read_event")
@needs("events:read")
async def read(call: Called, event_id: PathId) -> EventStory:
    """The event, every rule that was considered with its reason, whom it told, and each attempt to reach them."""
    return await read_story(call.session, call.project_id, event_id)


@router.get("/events/{event_id}/explain", operation_id="explain_event")
@needs("events:read", own=True)
async def explain_event(
    call: Called,
    evaluator: Trying,
    event_id: PathId,
    userId: FilterId | None = None,
    externalUserId: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> Explanation:
    """Why this person got what the event set off, or did not: a verdict, then each rule and each delivery in plain
    sentences. People ask about themselves, and see what told them."""
    person = await _asked_about(call, userId, externalUserId)
    roles_shown = call.own_only or call.principal.may("users:read")
    return await explain(call.session, evaluator, event_id, person, own=call.own_only, roles_shown=roles_shown)


async def _asked_about(call: Call, user_id: UUID | None, external_id: str | None) -> User:
    """The person who is named, once, or the caller. Raises Invalid, NotFound."""
    if user_id is not None and external_id is not None:
        raise Invalid([FieldError("/query/externalUserId", "doubled", "Name the person by one of the two.")])
    named = await find_by_external_id(call.session, external_id) if external_id is not None else None
    if external_id is not None and named is None:
        raise NotFound()
    asked = named.id if named else user_id or call.principal.user_id
    if asked is None:
        raise Invalid([FieldError("/query/userId", "required", "Say about whom: a key is nobody.")])
    if call.own_only and asked != call.principal.user_id:
        raise NotFound()
    return named or await find_user(call.session, asked)
