"""`/hooks/whatsapp/app/{token}`: the door of an app at Meta that has several numbers (C8).

What the app's secret signs may be about any number that its owner likes to name, so it is led to the numbers
registered under this app and to no others: those of another project are as unknown here as those of nobody.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.body import check_content_type, read_body
from tocsin.auth.call import Gate, client_ip
from tocsin.auth.guard import gate_of
from tocsin.auth.tries import network_of
from tocsin.channels.contract import Inbound, Item, NotUnderstood
from tocsin.channels.whatsapp import reports
from tocsin.connections.hooks import TOKEN
from tocsin.inbound.routes import ITEMS_AT_ONCE, STRANGERS
from tocsin.kit.broker import Broker
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Env, json_text, without_nul
from tocsin.kit.errors import BadRequest, Forbidden, TooLarge, Unauthorized
from tocsin.kit.ids import new_id
from tocsin.kit.strict_json import decode
from tocsin.settings import Settings

router = APIRouter(include_in_schema=False)

_HOOK_REFUSED = "There is no such address, or the call does not prove who sent it."


class Found(NamedTuple):
    """Which app an address belongs to."""

    project_id: UUID
    env: Env
    id: UUID


@router.post("/hooks/whatsapp/app/{token}")
async def take(request: Request, token: str) -> Response:
    """Store what a genuine call tells, each element with the number that it is about; 200 once it is durable."""
    gate = gate_of(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = await read_body(headers.get("content-length"), request.scope, request.receive, Inbound.hook_bytes)
    found = await _find(gate, token)
    if found is not None:
        async with gate.db.scope(found.project_id, found.env) as session:
            secret = await _secret(gate, session, found, "app_secret")
            if secret is not None and reports.is_genuine(headers, body, secret):
                check_content_type(headers.get("content-type", ""), headers.get("content-encoding", ""))
                single = cast(Settings, request.app.state.settings).single_project is not None
                await _store(session, found, _items(body), everywhere=single)
            else:
                found = None
    if found is None:
        await gate.tries.spend(*network_of(client_ip(request), "hooks", STRANGERS))
        raise Unauthorized("hook_refused", _HOOK_REFUSED)
    cast(Broker, request.app.state.broker).wake("inbound")
    return Response(status_code=200)


@router.get("/hooks/whatsapp/app/{token}")
async def greet(request: Request, token: str) -> Response:
    """Answer Meta, which asks when the address is entered whether it is ours."""
    gate, answer = gate_of(request), None
    found = await _find(gate, token)
    if found is not None:
        async with gate.db.scope(found.project_id, found.env) as session:
            verify_token = await _secret(gate, session, found, "verify_token")
            if verify_token is not None:
                answer = reports.challenge(request.query_params, verify_token)
            if answer is not None:
                await session.execute(_NOTE_HANDSHAKE, {"app": found.id})
    if answer is None:
        await gate.tries.spend(*network_of(client_ip(request), "hooks", STRANGERS))
        raise Forbidden("hook_refused", _HOOK_REFUSED)
    return Response(answer, media_type="text/plain")


async def _find(gate: Gate, token: str) -> Found | None:
    if not TOKEN.fullmatch(token):
        return None
    async with gate.db.unscoped() as session:
        row = (await session.execute(_FIND, {"token": token})).one_or_none()
    return Found(*row) if row is not None else None


async def _secret(gate: Gate, session: AsyncSession, app: Found, field: str) -> str | None:
    """None also where it cannot be read: then nobody can tell who calls."""
    row = (await session.execute(_SECRETS, {"app": app.id})).mappings().one_or_none()
    if row is None:
        return None
    try:
        return await gate.vault.open(session, app.project_id, "meta_apps", app.id, field, row[field])
    except Unreadable:
        return None


def _items(body: bytes) -> Sequence[Item]:
    try:
        items = reports.items(decode(without_nul(body), duplicates_refused=False))
    except NotUnderstood as reason:
        raise BadRequest("not_understood", str(reason)) from None
    if len(items) > ITEMS_AT_ONCE:
        raise TooLarge("too_many_items", f"A call may tell {ITEMS_AT_ONCE:,} things at most.")
    return items


async def _store(session: AsyncSession, app: Found, items: Sequence[Item], *, everywhere: bool) -> None:
    """Each item with the connection to its number, or with all those of its account where it is about no number.

    What is about neither stays with the app, and nothing follows from it. ``everywhere``: among all numbers of the
    project, because it is the only one.
    """
    numbers = await _numbers(session, app, everywhere=everywhere)
    led = ((connection, item.event_id, item) for item in items for connection in _led(item, numbers) or [app.id])
    rows = sorted(led, key=lambda row: row[:2])
    await session.execute(
        _STORE,
        {
            "project": app.project_id,
            "env": app.env,
            "app": app.id,
            "ids": [new_id() for _ in rows],
            "connections": [connection for connection, _, _ in rows],
            "names": [name for _, name, _ in rows],
            "payloads": [json_text(item.payload) for _, _, item in rows],
        },
    )
    await session.execute(_NOTE_CALL, {"app": app.id})
    await session.execute(_NOTE_HEARD, {"connections": list({connection for connection, _, _ in rows} - {app.id})})


class Number(NamedTuple):
    """A connection under the app, and what Meta calls its number and the account of that."""

    connection_id: UUID
    number: str
    account: str | None


def _led(item: Item, numbers: Mapping[str, Number]) -> list[UUID]:
    """The connections that an item is about."""
    account = reports.account_of(item)
    if account is not None:
        return [each.connection_id for each in numbers.values() if each.account == account]
    found = numbers.get(reports.number_of(item) or "")
    return [found.connection_id] if found else []


async def _numbers(session: AsyncSession, app: Found, *, everywhere: bool) -> Mapping[str, Number]:
    rows = await session.execute(_NUMBERS, {"app": app.id, "everywhere": everywhere, "env": app.env})
    return {row.number: Number(*row) for row in rows}


_FIND = text("SELECT project_id, env, id FROM tocsin.find_meta_app(:token)")
_SECRETS = text("SELECT app_secret, verify_token FROM tocsin.meta_apps WHERE id = :app")
_NUMBERS = text("""
SELECT c.id, c.settings ->> 'phoneNumberId' AS number, c.settings ->> 'businessAccountId' FROM tocsin.connections c
LEFT JOIN tocsin.meta_app_numbers n ON n.project_id = c.project_id AND n.connection_id = c.id AND n.app_id = :app
WHERE c.provider = 'whatsapp' AND c.env = :env AND (n.app_id IS NOT NULL OR :everywhere)
ORDER BY n.app_id IS NOT NULL, c.id
""")
_STORE = text("""
INSERT INTO tocsin.inbound_raw (project_id, id, env, connection_id, event_id, payload, state, last_error, ended_at)
SELECT :project, n.id, :env, n.connection, n.name, n.payload::json,
    CASE WHEN n.connection = :app THEN 'ignored' ELSE 'received' END,
    CASE WHEN n.connection = :app THEN 'it is about no number under this app' END,
    CASE WHEN n.connection = :app THEN now() END
FROM unnest(CAST(:ids AS uuid[]), CAST(:connections AS uuid[]), CAST(:names AS text[]), CAST(:payloads AS text[]))
    AS n (id, connection, name, payload)
ON CONFLICT DO NOTHING
""")
_NOTE_HEARD = text("""
UPDATE tocsin.hooks SET last_received_at = now()
WHERE connection_id = ANY (:connections)
    AND (last_received_at IS NULL OR last_received_at < now() - interval '1 minute')
""")
_NOTE_HANDSHAKE = text("UPDATE tocsin.meta_apps SET handshake_at = now() WHERE id = :app")
# Once a minute, so that calls at the same time do not wait for each other.
_NOTE_CALL = text("""
UPDATE tocsin.meta_apps SET last_received_at = now()
WHERE id = :app AND (last_received_at IS NULL OR last_received_at < now() - interval '1 minute')
""")
