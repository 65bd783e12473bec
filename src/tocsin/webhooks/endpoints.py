"""Endpoints over HTTP: making, changing, testing, new secrets, recovering, and the short form of one of them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy import func, select

from tocsin.auth.call import Call
from tocsin.auth.guard import Admission, Admitted, Called, guarded_router, needs
from tocsin.channels.calling import url_problems
from tocsin.channels.webhook import new_secret
from tocsin.kit.broker import Broker
from tocsin.kit.crypto import Unreadable
from tocsin.kit.errors import Conflict, Invalid, NotFound
from tocsin.kit.http import Door
from tocsin.kit.ids import new_id
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.plans.entitlements import check_feature
from tocsin.plans.totals import room_for
from tocsin.webhooks.models import WebhookEndpoint
from tocsin.webhooks.schemas import (
    ProjectWebhook,
    WebhookEndpointAnswer,
    WebhookEndpointCreate,
    WebhookEndpointUpdate,
    WebhookEndpointWithSecret,
    WebhookRecover,
    WebhookRecovery,
    WebhookSecretRotate,
    WebhookTestAnswer,
)
from tocsin.webhooks.trial import Trial, prepared, recorded, tried

router = guarded_router(tags=["webhooks"])

RECOVERABLE = timedelta(days=30)


def _door(request: Request) -> Door:
    return cast(Door, request.app.state.door)


Outside = Annotated[Door, Depends(_door)]


@router.post("/webhook-endpoints", operation_id="create_webhook_endpoint", status_code=201)
@needs("webhooks:manage", network_first=True)
async def create(admitted: Admitted, door: Outside, body: WebhookEndpointCreate) -> WebhookEndpointWithSecret:
    """An address of your backend that hears what happens in the project. The secret is shown this once."""
    await _check(door, body.url)
    call = await admitted.begin()
    return await _made(call, body, primary=False)


@router.get("/webhook-endpoints", operation_id="list_webhook_endpoints")
@needs("webhooks:read")
async def list_all(call: Called, paging: Annotated[Paging, Depends()]) -> Page[WebhookEndpointAnswer]:
    query = select(WebhookEndpoint).where(WebhookEndpoint.status != "removed")
    found = await page(call.session, query, WebhookEndpoint.id, paging, call.gate.cursors, call.place, lambda row: row)
    items = [await _shown(call, row) for row in found["items"]]
    return Page[WebhookEndpointAnswer](items=items, nextCursor=found["nextCursor"])


@router.get("/webhook-endpoints/{endpoint_id}", operation_id="read_webhook_endpoint")
@needs("webhooks:read")
async def read(call: Called, endpoint_id: PathId) -> WebhookEndpointAnswer:
    """An endpoint with its health, and how far a recovery has come."""
    return await _shown(call, await find(call, endpoint_id))


@router.put("/webhook-endpoints/{endpoint_id}", operation_id="change_webhook_endpoint")
@needs("webhooks:manage", network_first=True)
async def change(
    admitted: Admitted, door: Outside, endpoint_id: PathId, body: WebhookEndpointUpdate
) -> WebhookEndpointAnswer:
    """Change what is sent. One that is made active again hears what is new; `recover` brings what it missed."""
    sent = body.model_dump(exclude_unset=True)
    await _look(admitted, endpoint_id)
    if "url" in sent:
        await _check(door, body.url)
    call = await admitted.begin()
    return await _changed(call, await find_to_change(call, endpoint_id), sent)


@router.delete("/webhook-endpoints/{endpoint_id}", operation_id="delete_webhook_endpoint", status_code=204)
@needs("webhooks:manage")
async def delete(call: Called, endpoint_id: PathId) -> Response:
    """It hears nothing more, and its log goes as well."""
    await _removed(call, await find_to_change(call, endpoint_id))
    return Response(status_code=204)


@router.post("/webhook-endpoints/{endpoint_id}/test", operation_id="test_webhook_endpoint")
@needs("webhooks:manage", network_first=True)
async def test(admitted: Admitted, door: Outside, endpoint_id: PathId) -> WebhookTestAnswer:
    """Send a `webhook.test` message now, whatever the endpoint listens to, and say what it answered."""
    async with admitted.transaction() as look:
        row = await find_to_change(look, endpoint_id)
        trial: Trial = await prepared(look, row)
    result = await tried(trial, door)
    call = await admitted.begin()
    await find_to_change(call, endpoint_id)
    return await recorded(call, trial, result)


@router.post("/webhook-endpoints/{endpoint_id}/rotate-secret", operation_id="rotate_webhook_secret")
@needs("webhooks:manage")
async def rotate_secret(call: Called, endpoint_id: PathId, body: WebhookSecretRotate) -> WebhookEndpointWithSecret:
    """A new secret, shown this once; for the overlap messages carry a signature of each."""
    row = await find_to_change(call, endpoint_id)
    secret = body.secret or new_secret()
    try:
        old = await call.open(WebhookEndpoint.__tablename__, row.id, "secret", row.secret)
    except Unreadable:
        old = None
    overlaps = body.overlap_seconds > 0 and old is not None
    row.previous_secret = (
        await call.seal(WebhookEndpoint.__tablename__, row.id, "previous_secret", old) if overlaps and old else None
    )
    row.previous_until = datetime.now(UTC) + timedelta(seconds=body.overlap_seconds) if overlaps else None
    row.secret = await call.seal(WebhookEndpoint.__tablename__, row.id, "secret", secret)
    answer = await _touched(call, row)
    await call.audit("webhook_endpoint.rotated", "webhook_endpoint", row.id, after=_audited(answer))
    return _with_secret(answer, secret)


@router.post("/webhook-endpoints/{endpoint_id}/recover", operation_id="recover_webhook_endpoint", status_code=202)
@needs("webhooks:manage")
async def recover(request: Request, call: Called, endpoint_id: PathId, body: WebhookRecover) -> WebhookEndpointAnswer:
    """Send again everything that failed since a time, however old it is, behind what is new. `recovery` says how far
    that has come."""
    row = await find_to_change(call, endpoint_id)
    if row.status != "active":
        raise Conflict("endpoint_not_active", f"The endpoint is {row.status}: make it active first.")
    if row.recover_until is not None:
        raise Conflict("already_recovering", "A recovery is under way; wait until it has finished.")
    since = max(body.since, datetime.now(UTC) - RECOVERABLE)
    row.recover_since, row.recover_until = since, datetime.now(UTC)
    row.recovered, row.recovered_at = 0, None
    answer = await _touched(call, row)
    await call.audit("webhook_endpoint.recovered", "webhook_endpoint", row.id, since=since.isoformat())
    broker = cast(Broker, request.app.state.broker)
    call.after_commit.append(lambda: broker.wake("endpoints"))
    return answer


@router.put("/projects/me/webhook", operation_id="set_project_webhook")
@needs("webhooks:manage", network_first=True)
async def set_primary(admitted: Admitted, door: Outside, body: ProjectWebhook) -> WebhookEndpointAnswer | None:
    """One endpoint in a single call: made, moved or, with null, removed. `secret` is whole only where it is made."""
    if body.url is not None:
        await _check(door, body.url)
    call = await admitted.begin()
    row = (await call.session.scalars(_primary(call).with_for_update())).one_or_none()
    if body.url is None:
        if row is not None:
            await _removed(call, row)
        return None
    if row is None:
        wanted = WebhookEndpointCreate.model_validate({"url": body.url, "eventTypes": body.event_types})
        return await _made(call, wanted, primary=True)
    return await _changed(call, row, {"url": body.url, "event_types": body.event_types})


def _primary(call: Call) -> Any:
    return select(WebhookEndpoint).where(
        WebhookEndpoint.env == call.env, WebhookEndpoint.is_primary, WebhookEndpoint.status != "removed"
    )


async def find(call: Call, endpoint_id: UUID) -> WebhookEndpoint:
    """An endpoint of the project. Raises NotFound."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.status != "removed")
    row = (await call.session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound()
    return row


async def find_to_change(call: Call, endpoint_id: UUID) -> WebhookEndpoint:
    """The same, locked until the end of the transaction. Raises NotFound, and Forbidden before a live row."""
    row = await find(call, endpoint_id)
    call.write_to(row.env)
    await call.session.refresh(row, with_for_update=True)
    if row.status == "removed":
        raise NotFound()
    return row


async def _look(admitted: Admission, endpoint_id: UUID) -> None:
    """Refuse what cannot be changed before the network is asked."""
    async with admitted.transaction() as look:
        look.write_to((await find(look, endpoint_id)).env)


async def _check(door: Door, url: str) -> None:
    if problems := await url_problems(door, url, "/url"):
        raise Invalid(problems)


async def _made(call: Call, body: WebhookEndpointCreate, *, primary: bool) -> WebhookEndpointWithSecret:
    await check_feature(call.session, call.project_id, "webhooks")
    id_, secret = new_id(), body.secret or new_secret()
    row = WebhookEndpoint(
        project_id=call.project_id,
        id=id_,
        env=call.env,
        url=body.url,
        description=body.description,
        event_types=list(body.event_types),
        timeout_seconds=body.timeout_seconds,
        secret=await call.seal(WebhookEndpoint.__tablename__, id_, "secret", secret),
        is_primary=primary,
        created_by=call.principal.user_id,
    )
    async with room_for(call.session, call.project_id, call.env, "webhooks"):
        call.session.add(row)
    await call.session.flush()
    await call.session.refresh(row)
    answer = await _shown(call, row)
    await call.audit("webhook_endpoint.created", "webhook_endpoint", id_, after=_audited(answer))
    return _with_secret(answer, secret)


async def _changed(call: Call, row: WebhookEndpoint, sent: dict[str, Any]) -> WebhookEndpointAnswer:
    before = await _shown(call, row)
    if sent.get("status") == "active" and row.status != "active":
        row.failing_since, row.failures = None, 0
    if "status" in sent:
        row.status_reason = None
    for name, value in sent.items():
        setattr(row, name, value)
    answer = await _touched(call, row)
    await call.audit(
        "webhook_endpoint.updated", "webhook_endpoint", row.id, before=_audited(before), after=_audited(answer)
    )
    return answer


async def _removed(call: Call, row: WebhookEndpoint) -> None:
    before = await _shown(call, row)
    row.status, row.is_primary, row.recover_until = "removed", False, None
    await call.session.flush()
    await call.audit("webhook_endpoint.deleted", "webhook_endpoint", row.id, before=_audited(before))


async def _touched(call: Call, row: WebhookEndpoint) -> WebhookEndpointAnswer:
    row.updated_at = func.now()
    await call.session.flush()
    await call.session.refresh(row)
    return await _shown(call, row)


async def _shown(call: Call, row: WebhookEndpoint) -> WebhookEndpointAnswer:
    try:
        secret = masked(await call.open(WebhookEndpoint.__tablename__, row.id, "secret", row.secret))
    except Unreadable:
        secret = None
    overlaps = row.previous_until is not None and row.previous_until > datetime.now(UTC)
    values = {
        name: getattr(row, name)
        for name in WebhookEndpointAnswer.model_fields
        if name not in ("secret", "previous_secret_until", "primary", "recovery")
    }
    return WebhookEndpointAnswer(
        **values,
        secret=secret,
        previous_secret_until=row.previous_until if overlaps else None,
        primary=row.is_primary,
        recovery=_recovery(row),
    )


def masked(secret: str) -> str:
    """A secret as it may be shown: its last four characters (C3)."""
    return f"****{secret[-4:]}"


def _recovery(row: WebhookEndpoint) -> WebhookRecovery | None:
    if row.recover_since is None:
        return None
    return WebhookRecovery(since=row.recover_since, resent=row.recovered, finished_at=row.recovered_at)


def _with_secret(answer: WebhookEndpointAnswer, secret: str) -> WebhookEndpointWithSecret:
    return WebhookEndpointWithSecret(**{**answer.model_dump(), "secret": secret})


def _audited(answer: WebhookEndpointAnswer) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True)
