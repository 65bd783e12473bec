"""Reading events. Sending them is the hot path of `accept`."""

from typing import Annotated

from fastapi import Depends, Query
from sqlalchemy import select, text
from sqlalchemy.orm import defer

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.events.models import Event
from tocsin.events.schemas import EventStory, EventSummary, Status
from tocsin.events.story import read_story
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.rules.schemas import EventType

router = guarded_router(tags=["events"])

_STATES = {"received": ("received", "leased"), "processed": ("processed",), "failed": ("failed",)}


@router.get("/events")
@needs("events:read")
async def list_events(
    call: Called,
    paging: Annotated[Paging, Depends()],
    type: EventType | None = None,
    status: Status | None = None,
    clientEventId: Annotated[
        str | None, Query(min_length=1, max_length=255, description="Known for 30 days after it was sent.")
    ] = None,
) -> Page[EventSummary]:
    """What came in, without what became of it: `GET /events/{id}` tells that."""
    query = select(Event).options(defer(Event.trace, raiseload=True))
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
