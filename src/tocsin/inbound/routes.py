"""`/hooks/{provider}/{token}`: the door that providers come through.

Not of the API's document: who calls here follows a document of their own. The answer to a call that is not genuine
and to one at an address that does not exist is the same. Many of the latter from one network are told to wait. At an
address that exists nobody is: it cannot be guessed, and Discord, which calls with wrong signatures on purpose, gives
up an address that answers anything else than 401.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.body import check_content_type, read_body
from tocsin.auth.call import Gate, client_ip
from tocsin.auth.guard import gate_of
from tocsin.auth.tries import Pace, network_of
from tocsin.channels.contract import Inbound, Item, NotUnderstood
from tocsin.channels.registry import providers
from tocsin.connections.hooks import TOKEN, Hooked, opened_hook
from tocsin.inbound.store import Place, store
from tocsin.kit.broker import Broker
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Env, without_nul
from tocsin.kit.errors import BadRequest, Forbidden, TooLarge, Unauthorized
from tocsin.kit.strict_json import decode
from tocsin.settings import Settings

ITEMS_AT_ONCE = 1_000

STRANGERS = Pace(20, again=False)
"""Calls of one network at addresses that do not exist, in a quarter of an hour."""

router = APIRouter(include_in_schema=False)


class Found(NamedTuple):
    """Which connection an address belongs to."""

    project_id: UUID
    env: Env
    connection_id: UUID
    provider: str

    @property
    def place(self) -> Place:
        return Place(self.project_id, self.env, self.connection_id)


@router.post("/hooks/{provider}/{token}")
async def take(request: Request, provider: str, token: str) -> Response:
    """Store what a genuine call tells; 200 once it is durable, with what the provider wants to hear."""
    gate, answer = gate_of(request), None
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = await read_body(headers.get("content-length"), request.scope, request.receive, _limit(provider))
    found = await _find(gate, provider, token)
    if found is None:
        await _spend(request)
    else:
        async with gate.db.scope(found.project_id, found.env) as session:
            hook = await _opened(gate, session, found)
            url = f"{cast(Settings, request.app.state.settings).base_url}/api/v1/hooks/{provider}/{token}"
            if hook is not None and hook.inbound.authenticate_at(url, headers, body, hook.credentials, hook.secret):
                kind, encoding = headers.get("content-type", ""), headers.get("content-encoding", "")
                check_content_type(kind, encoding, hook.inbound.media)
                items, answer = _told(hook, body)
                news = await store(session, found.place, items)
                if answer is not None and not items:
                    await session.execute(_NOTE_GREETING, {"connection": found.connection_id})
            else:
                found = None
    if found is None:
        raise Unauthorized("hook_refused", "There is no such address, or the call does not prove who sent it.")
    if news:
        cast(Broker, request.app.state.broker).wake("inbound")
    return Response(status_code=200) if answer is None else JSONResponse(answer)


@router.get("/hooks/{provider}/{token}")
async def greet(request: Request, provider: str, token: str) -> Response:
    """Answer a provider that asks, before it calls, whether this is the right place."""
    gate, answer = gate_of(request), None
    found = await _find(gate, provider, token)
    if found is None:
        await _spend(request)
    else:
        async with gate.db.scope(found.project_id, found.env) as session:
            hook = await _opened(gate, session, found)
            if hook is not None:
                answer = hook.inbound.handshake(dict(request.query_params), hook.credentials, hook.secret)
            if answer is not None:
                await session.execute(_NOTE_GREETING, {"connection": found.connection_id})
    if answer is None:
        raise Forbidden("hook_refused", "There is no such address, or the call does not prove who sent it.")
    return Response(answer, media_type="text/plain")


def _limit(provider: str) -> int:
    """How long a body may be; of any provider where there is none of that name, so that this tells nothing."""
    channel = providers().get(provider)
    return channel.hook_bytes if isinstance(channel, Inbound) else Inbound.hook_bytes


async def _find(gate: Gate, provider: str, token: str) -> Found | None:
    if not TOKEN.fullmatch(token):
        return None
    async with gate.db.unscoped() as session:
        row = (await session.execute(_FIND, {"token": token})).one_or_none()
    return Found(*row) if row is not None and row.provider == provider else None


async def _spend(request: Request) -> None:
    await gate_of(request).tries.spend(*network_of(client_ip(request), "hooks", STRANGERS))


async def _opened(gate: Gate, session: AsyncSession, found: Found) -> Hooked | None:
    """None also where the credentials cannot be read: then nobody can tell who calls."""
    try:
        return await opened_hook(session, gate.vault, found.project_id, found.connection_id)
    except Unreadable:
        return None


def _told(hook: Hooked, body: bytes) -> tuple[Sequence[Item], Any]:
    """What is to be kept of a genuine call, and what it is answered."""
    try:
        told = decode(without_nul(hook.inbound.told(body)), duplicates_refused=False)
        items = hook.inbound.items(told, hook.credentials)
    except NotUnderstood as reason:
        raise BadRequest("not_understood", str(reason)) from None
    if len(items) > ITEMS_AT_ONCE:
        raise TooLarge("too_many_items", f"A call may tell {ITEMS_AT_ONCE:,} things at most.")
    return items, hook.inbound.answer(told)


_FIND = text("SELECT project_id, env, connection_id, provider FROM tocsin.find_hook(:token)")
_NOTE_GREETING = text("UPDATE tocsin.hooks SET registered_at = now() WHERE connection_id = :connection")
