"""What was sent to endpoints over HTTP, and sending one message again."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import msgspec
from fastapi import Depends, Query, Request
from sqlalchemy import func, select, text, update

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.broker import Broker
from tocsin.kit.errors import Conflict, NotFound
from tocsin.kit.ids import first_id_at
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import FilterId, FilterTime, PathId
from tocsin.webhooks.endpoints import find_to_change
from tocsin.webhooks.kinds import EventType, body
from tocsin.webhooks.models import WebhookAttempt, WebhookMessage
from tocsin.webhooks.schemas import State, WebhookAttemptAnswer, WebhookLogAnswer, WebhookLogEntry

router = guarded_router(tags=["webhooks"])

REPLAY_RANK = 2
"""Behind what is new and what is tried again."""


@router.get("/webhook-logs", operation_id="list_webhook_logs")
@needs("webhooks:read")
async def list_all(
    call: Called,
    paging: Annotated[Paging, Depends()],
    endpointId: Annotated[FilterId | None, Query()] = None,
    eventType: Annotated[EventType | Literal["webhook.test"] | None, Query()] = None,
    state: State | None = None,
    since: Annotated[FilterTime | None, Query(description="From this moment on.")] = None,
    until: Annotated[FilterTime | None, Query(description="Before this moment.")] = None,
) -> Page[WebhookLogAnswer]:
    """Messages of the last 30 days with their newest attempt."""
    query = select(WebhookMessage)
    if endpointId:
        query = query.where(WebhookMessage.endpoint_id == endpointId)
    if eventType:
        query = query.where(WebhookMessage.event_type == eventType)
    if state:
        query = query.where(WebhookMessage.state.in_(("queued", "leased") if state == "queued" else (state,)))
    if since:
        query = query.where(WebhookMessage.id >= first_id_at(since))
    if until:
        query = query.where(WebhookMessage.id < first_id_at(until))
    found = await page(call.session, query, WebhookMessage.id, paging, call.gate.cursors, call.place, lambda row: row)
    newest = await _newest_attempts(call, found["items"])
    items = [WebhookLogAnswer(**_shown(row, newest.get(row.id))) for row in found["items"]]
    return Page[WebhookLogAnswer](items=items, nextCursor=found["nextCursor"])


@router.get("/webhook-logs/{log_id}", operation_id="read_webhook_log")
@needs("webhooks:read")
async def read(call: Called, log_id: PathId) -> WebhookLogEntry:
    """A message with what is sent and every attempt."""
    return await _entry(call, await _find(call, log_id))


@router.post("/webhook-logs/{log_id}/replay", operation_id="replay_webhook")
@needs("webhooks:manage")
async def replay(request: Request, call: Called, log_id: PathId) -> WebhookLogEntry:
    """Send a message once more, under the same `webhook-id`; its earlier attempts stay on the record."""
    message = await _find(call, log_id)
    endpoint = await find_to_change(call, message.endpoint_id)
    if endpoint.status != "active":
        raise Conflict("endpoint_not_active", f"The endpoint is {endpoint.status}: make it active first.")
    changed = await call.session.scalar(
        update(WebhookMessage)
        .where(WebhookMessage.id == log_id, WebhookMessage.state.in_(("failed", "delivered")))
        .values(
            state="queued",
            ready=True,
            rank=REPLAY_RANK,
            due_at=func.now(),
            tries=0,
            crashes=0,
            last_error=None,
            finished_at=None,
        )
        .returning(WebhookMessage.id)
    )
    if changed is None:
        raise Conflict("not_replayable", f"The message is {_public(message.state)}; what came to an end is replayed.")
    before = {"state": message.state}
    await call.audit("webhook.replayed", "webhook_message", log_id, before=before, after={"state": "queued"})
    broker = cast(Broker, request.app.state.broker)
    call.after_commit.append(lambda: broker.wake("webhooks"))
    return await _entry(call, await _find(call, log_id))


async def _find(call: Call, log_id: UUID) -> WebhookMessage:
    query = select(WebhookMessage).where(WebhookMessage.id == log_id).execution_options(populate_existing=True)
    found = (await call.session.scalars(query)).one_or_none()
    if found is None:
        raise NotFound()
    return found


async def _newest_attempts(call: Call, messages: Sequence[WebhookMessage]) -> dict[UUID, WebhookAttempt]:
    if not messages:
        return {}
    query = (
        select(WebhookAttempt)
        .distinct(WebhookAttempt.message_id)
        .where(WebhookAttempt.message_id.in_([message.id for message in messages]))
        .order_by(WebhookAttempt.message_id, WebhookAttempt.number.desc())
    )
    return {row.message_id: row for row in await call.session.scalars(query)}


async def _entry(call: Call, message: WebhookMessage) -> WebhookLogEntry:
    query = select(WebhookAttempt).where(WebhookAttempt.message_id == message.id).order_by(WebhookAttempt.number)
    attempts = list(await call.session.scalars(query))
    data = await call.session.scalar(_DATA, {"project": call.project_id, "id": message.id})
    payload = msgspec.json.decode(body(message.event_type, call.project_id, message.created_at, data or "null"))
    return WebhookLogEntry(
        **_shown(message, attempts[-1] if attempts else None),
        payload=payload,
        attempts=[_attempt(each) for each in attempts],
    )


_DATA = text("""
SELECT coalesce(m.data, (SELECT t.data FROM tocsin.deliveries_as_told(:project, ARRAY[m.delivery_id]) t))::text
FROM tocsin.webhook_messages m WHERE m.id = :id
""")


def _shown(message: WebhookMessage, newest: WebhookAttempt | None) -> dict[str, Any]:
    state = _public(message.state)
    return {
        "id": message.id,
        "env": message.env,
        "endpoint_id": message.endpoint_id,
        "message_id": f"msg_{message.id.hex}",
        "event_type": message.event_type,
        "state": state,
        "attempt_number": message.attempts,
        "success": state == "delivered",
        "response_status": newest.status if newest else None,
        "response_body": newest.answer if newest else None,
        "error": message.last_error,
        "duration_ms": newest.duration_ms if newest else None,
        "next_attempt_at": message.due_at if state == "queued" else None,
        "created_at": message.created_at,
        "finished_at": message.finished_at,
    }


def _attempt(row: WebhookAttempt) -> WebhookAttemptAnswer:
    return WebhookAttemptAnswer(
        number=row.number,
        success=row.outcome == "ok",
        response_status=row.status,
        response_body=row.answer,
        error=row.error,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        next_attempt_at=row.next_due_at,
    )


def _public(state: str) -> State:
    """A lease is the worker's affair: outside it is still waiting."""
    return cast(State, "queued" if state == "leased" else state)
