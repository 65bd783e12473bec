"""Deliveries over HTTP: what became of each, and trying again by hand."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import Field
from sqlalchemy import func, select, text, update

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.channels.registry import kinds
from tocsin.deliveries.models import Attempt, Delivery
from tocsin.deliveries.queue import RETRY_RANK
from tocsin.kit.broker import Broker
from tocsin.kit.errors import Conflict, NotFound
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import Answer, FilterId, PathId, Time
from tocsin.plans.monthly import hold_one

router = guarded_router(tags=["deliveries"])

State = Literal[
    "queued",
    "sent",
    "delivered",
    "read",
    "held",
    "gathered",
    "failed",
    "suppressed",
    "dropped",
    "captured",
    "cancelled",
]

_RETRYABLE = ("failed", "suppressed", "dropped", "held")


NOT_WISHED = "preferences: "
"""How the reason begins where a person's wishes had a delivery dropped (`tocsin.withhold`)."""
OVER_QUOTA = "quota: "
"""And where the month's quota had (`notifications/write.py`)."""


class AttemptAnswer(Answer):
    number: int
    started_at: Time
    duration_ms: int
    outcome: Literal["ok", "temporary", "permanent", "credentials", "captured"]
    status: int | None
    answer: str | None
    error: str | None
    connection_id: UUID | None
    next_due_at: Time | None


class DeliveryAnswer(Answer):
    id: UUID
    env: Literal["live", "test"]
    notification_id: UUID | None
    user_id: UUID | None
    destination_id: UUID | None
    channel: str
    state: State
    address: str | None = Field(description="Of a device only the end.")
    address_id: UUID | None = Field(description="The device, where each of a person's devices has its own delivery.")
    connection_id: UUID | None
    connection_reason: str | None
    attempts: list[AttemptAnswer]
    gathered_into: UUID | None = Field(description="The notification of the digest that told of it.")
    due_at: Time | None = Field(description="When the next attempt or the digest is due, or what is held may go.")
    last_error: str | None
    provider_message_id: str | None
    captured: dict[str, Any] | None = Field(description="In the sandbox: what would have been sent.")
    created_at: Time
    sent_at: Time | None
    delivered_at: Time | None
    read_at: Time | None


@router.get("/deliveries")
@needs("notifications:read")
async def list_deliveries(
    call: Called,
    paging: Annotated[Paging, Depends()],
    state: State | None = None,
    channel: Annotated[str | None, Query(max_length=30, pattern="^[a-z_]+$")] = None,
    notificationId: Annotated[FilterId | None, Query()] = None,
    userId: Annotated[FilterId | None, Query()] = None,
) -> Page[DeliveryAnswer]:
    query = select(Delivery)
    if state:
        query = query.where(Delivery.state.in_(("queued", "leased") if state == "queued" else (state,)))
    if channel:
        query = query.where(Delivery.channel == channel)
    if notificationId:
        query = query.where(Delivery.notification_id == notificationId)
    if userId:
        query = query.where(Delivery.user_id == userId)
    found = await page(call.session, query, Delivery.id, paging, call.gate.cursors, call.place, lambda row: row)
    return Page[DeliveryAnswer](items=await _shown(call, found["items"]), nextCursor=found["nextCursor"])


@router.get("/deliveries/{delivery_id}", operation_id="read_delivery")
@needs("notifications:read")
async def read(call: Called, delivery_id: PathId) -> DeliveryAnswer:
    (answer,) = await _shown(call, [await _find(call, delivery_id)])
    return answer


@router.post("/deliveries/{delivery_id}/retry", operation_id="retry_delivery")
@needs("deliveries:manage")
async def retry(request: Request, call: Called, delivery_id: PathId) -> DeliveryAnswer:
    """Try once more what was given up, or send now what is held; its earlier attempts stay on the record.

    What the person has switched off stays unsent.
    """
    delivery = await _find(call, delivery_id)
    before = delivery.state
    if delivery.state == "dropped":
        _refuse_what_is_not_wished(delivery)
        await _count_what_was_over_quota(call, delivery)
    changed = await call.session.scalar(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state.in_(_RETRYABLE))
        .values(
            state="queued",
            ready=True,
            due_at=func.now(),
            crashes=0,
            last_error=None,
            finished_at=None,
            rank=delivery.rank % RETRY_RANK + RETRY_RANK,
        )
        .returning(Delivery.id)
    )
    if changed is None:
        raise Conflict(
            "not_retryable", f"The delivery is {_public(delivery.state)}; only what was given up or is held is retried."
        )
    await call.audit("delivery.retried", "delivery", delivery_id, before={"state": before}, after={"state": "queued"})
    broker = cast(Broker, request.app.state.broker)
    call.after_commit.append(lambda: broker.wake("deliveries"))
    (answer,) = await _shown(call, [await _find(call, delivery_id)])
    return answer


def _refuse_what_is_not_wished(delivery: Delivery) -> None:
    if (delivery.last_error or "").startswith(NOT_WISHED):
        raise Conflict("not_retryable", "By the person's preferences it is not sent.")


async def _count_what_was_over_quota(call: Call, delivery: Delivery) -> None:
    """A notification that found its quota used up counts now, and once for all its deliveries."""
    if kinds()[delivery.channel].instant:
        raise Conflict("not_retryable", "It was to be seen at once; the notification stands in the person's feed.")
    if not (delivery.last_error or "").startswith(OVER_QUOTA):
        return
    quota = await hold_one(call.session, call.project_id, "notifications")
    if await call.session.scalar(_COUNTS_NOW, {"id": delivery.notification_id}):
        await quota.spend(call.session)


_COUNTS_NOW = text("""
UPDATE tocsin.notifications SET over_quota = false WHERE id = :id AND over_quota RETURNING true
""")


async def _find(call: Call, delivery_id: UUID) -> Delivery:
    found = (
        await call.session.scalars(
            select(Delivery).where(Delivery.id == delivery_id).execution_options(populate_existing=True)
        )
    ).one_or_none()
    if found is None:
        raise NotFound()
    return found


async def _shown(call: Call, deliveries: Sequence[Delivery]) -> list[DeliveryAnswer]:
    attempts: defaultdict[UUID, list[AttemptAnswer]] = defaultdict(list)
    if deliveries:
        ids = [delivery.id for delivery in deliveries]
        rows = await call.session.scalars(select(Attempt).where(Attempt.delivery_id.in_(ids)).order_by(Attempt.number))
        for row in rows:
            attempts[row.delivery_id].append(AttemptAnswer.model_validate(row))
    return [_answer(delivery, attempts[delivery.id]) for delivery in deliveries]


def _answer(delivery: Delivery, attempts: list[AttemptAnswer]) -> DeliveryAnswer:
    fields = {
        name: getattr(delivery, name)
        for name in DeliveryAnswer.model_fields
        if name not in ("state", "attempts", "due_at")
    }
    state = _public(delivery.state)
    return DeliveryAnswer(
        **fields, state=state, attempts=attempts, due_at=delivery.due_at if _waits(delivery) else None
    )


def _waits(delivery: Delivery) -> bool:
    return delivery.finished_at is None and delivery.state in ("queued", "leased", "held", "gathered")


def _public(state: str) -> State:
    """A lease is the worker's affair: outside it is still waiting."""
    return cast(State, "queued" if state == "leased" else state)
