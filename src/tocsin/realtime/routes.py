"""Signatures for sockets, and how many sockets there are."""

import time
from datetime import UTC, datetime
from typing import Any, cast

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import or_, select

from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, Called, guarded_router, needs
from tocsin.kit.errors import Conflict, FieldError, Forbidden, Invalid
from tocsin.kit.schema import Answer
from tocsin.projects.models import ApiKey, RealtimeApp
from tocsin.realtime import auth
from tocsin.realtime.access import may_subscribe
from tocsin.realtime.grants import Grant
from tocsin.realtime.protocol import is_channel_name, is_presence, needs_signature
from tocsin.realtime.sockets import Sockets
from tocsin.users.models import User

router = guarded_router(tags=["realtime"])


class SocketAuth(BaseModel):
    """What Pusher's clients send, under their names; what else an app adds to it is not looked at."""

    model_config = ConfigDict(extra="ignore", strict=True)

    socket_id: str = Field(max_length=50, examples=["1234.5678"])
    channel_name: str | None = Field(None, max_length=400, description="Left out to sign in as a user.")


class SocketAuthAnswer(BaseModel):
    """What Pusher's clients expect, under their names."""

    auth: str
    channel_data: str | None = Field(None, description="On presence channels: who the caller is, as signed.")
    user_data: str | None = Field(None, description="When signing in: who the caller is, as signed.")


class OpenedAnswer(Answer):
    """Which app a caller's sockets open."""

    app_id: str = Field(description="Digits, as Pusher's libraries want them.")
    key: str | None = Field(description="The public key to connect with; null where the project has none in use.")


class RealtimeStatsAnswer(Answer):
    """Of the caller's app, over all processes; a channel on which sockets of several are is one."""

    sockets: int
    channels: int
    subscriptions: int


_FORM_TOO = {
    "requestBody": {
        "content": {"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/SocketAuth"}}}
    }
}


@router.post(
    "/realtime/auth", operation_id="authorize_socket", response_model_exclude_none=True, openapi_extra=_FORM_TOO
)
@needs("realtime:read", own=True, idempotent=False, form=True)
async def authorize(call: Called, body: SocketAuth) -> SocketAuthAnswer:
    """Sign a subscription, or without `channel_name` a user's sign-in, for a socket of the caller's app."""
    if body.channel_name is None:
        return await _sign_in(call, body.socket_id)
    if not (is_channel_name(body.channel_name) and needs_signature(body.channel_name)):
        detail = "Not the name of a private or presence channel."
        raise Invalid([FieldError("/channel_name", "channel_name", detail)])
    if not may_subscribe(call.principal, body.channel_name):
        raise Forbidden("channel_not_allowed", "You may not subscribe to this channel.")
    person = await _person(call) if is_presence(body.channel_name) else None
    key, secret = await _signer(call)
    user_id = str(call.principal.user_id) if person is not None else None
    signed = auth.authorize(
        key, secret, body.socket_id, body.channel_name, user_id=user_id, user_info=person, grant=_grant(call)
    )
    return SocketAuthAnswer.model_validate(signed)


@router.get("/realtime/app", operation_id="read_realtime_app")
@needs("realtime:read", own=True)
async def read_app(call: Called) -> OpenedAnswer:
    """What somebody who is signed in connects with: panels and apps that were not built with a key."""
    app = await _app(call)
    return OpenedAnswer(app_id=str(app.app_id), key=await _public_key(call))


@router.get("/realtime/stats", operation_id="read_realtime_stats")
@needs("realtime:read", network_first=True)
async def stats(admitted: Admitted, request: Request) -> RealtimeStatsAnswer:
    """How many are connected now. 503 where a process does not answer, since a part would pass for the whole."""
    async with admitted.transaction() as call:
        app_id = str((await _app(call)).app_id)
    return RealtimeStatsAnswer.model_validate(await cast(Sockets, request.app.state.sockets).census.stats(app_id))


async def _sign_in(call: Call, socket_id: str) -> SocketAuthAnswer:
    if call.principal.user_id is None:
        raise Forbidden("not_a_user", "An API key is nobody and cannot sign in on a socket.")
    key, secret = await _signer(call)
    signed = auth.sign_in(key, secret, socket_id, str(call.principal.user_id), await _person(call), _grant(call))
    return SocketAuthAnswer.model_validate(signed)


def _grant(call: Call) -> Grant:
    """Whose rights the signature passes on."""
    caller, now = call.principal, time.time()
    if caller.visit is not None:
        ids = (caller.id, caller.visit.session_id, caller.visit.id)
        return Grant(ids, now, caller.visit.expires_at.timestamp())
    return Grant((caller.id, caller.session_id) if caller.session_id else (caller.id,), now)


async def _person(call: Call) -> dict[str, Any]:
    """What others on a channel are told about the caller."""
    found = await call.session.execute(select(User.name, User.avatar_url).where(User.id == call.principal.user_id))
    row = found.one()
    return {"name": row.name, "avatarUrl": row.avatar_url}


async def _signer(call: Call) -> tuple[str, str]:
    """A public key of the caller's app, and the app's secret."""
    app, key = await _app(call), await _public_key(call)
    if key is None:
        raise Conflict("no_public_key", "The project has no API key in use in this environment, so it has no sockets.")
    return key, await call.open("realtime_apps", call.env, "secret", app.secret)


async def _app(call: Call) -> RealtimeApp:
    return (await call.session.scalars(select(RealtimeApp).where(RealtimeApp.env == call.env))).one()


async def _public_key(call: Call) -> str | None:
    """The caller's own, else the oldest in use, if any: every key of an environment opens the same app."""
    usable = (
        select(ApiKey.key)
        .where(ApiKey.env == call.env, ApiKey.status == "active")
        .where(or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > datetime.now(UTC)))
    )
    if call.principal.key_id is not None:
        usable = usable.where(ApiKey.id == call.principal.key_id)
    return await call.session.scalar(usable.order_by(ApiKey.id).limit(1))
