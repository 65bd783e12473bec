"""The key that browsers subscribe with, for whoever may have their own told something (C9)."""

from typing import cast

import msgspec
from pydantic import Field
from sqlalchemy import text

from tocsin.auth.call import Call
from tocsin.auth.guard import Admitted, guarded_router, needs
from tocsin.channels.webpush import WebPush, WebPushCredentials
from tocsin.connections.choose import Choice, Route, Wanted
from tocsin.connections.levels import Candidate
from tocsin.kit.schema import Answer

router = guarded_router(tags=["connections"])


class WebPushAnswer(Answer):
    """What a browser of the caller needs to subscribe."""

    public_key: str | None = Field(description="`applicationServerKey` of `pushManager.subscribe`; null: nobody sends.")
    reason: str = Field(description="Whose connection sends, or why none does.", examples=["the project's"])


@router.get("/web-push", operation_id="read_web_push")
@needs("connections:read", own=True, network_first=True)
async def read(admitted: Admitted) -> WebPushAnswer:
    """The public key (VAPID) of the connection that sends to the caller's browsers: a browser takes messages from the
    key that it subscribed with. A browser that has another one should subscribe anew."""
    async with admitted.transaction() as call:
        candidates, wanted = await _candidates(call), _wanted(call)
    # Chosen as it is when something is sent, and after the transaction: it opens the connection in one of its own.
    choice = Choice(call.gate.db, call.gate.vault, {})
    route = (await choice.routes(call.project_id, call.env, candidates, [wanted]))[wanted]
    if not isinstance(route, Route):
        return WebPushAnswer(public_key=None, reason=route.reason)
    return WebPushAnswer(public_key=cast(WebPushCredentials, route.credentials).vapid_public, reason=route.reason)


def _wanted(call: Call) -> Wanted:
    return Wanted(WebPush.channel, call.principal.user_id, None, WebPush.address_kind)


_CANDIDATES = text("SELECT tocsin.connection_candidates(:project, :wanted, :people)::text")


async def _candidates(call: Call) -> list[Candidate]:
    person = call.principal.user_id
    given = {"project": call.project_id, "wanted": [WebPush.channel], "people": [person] if person else []}
    return msgspec.json.decode(await call.session.scalar(_CANDIDATES, given) or "[]", type=list[Candidate])
