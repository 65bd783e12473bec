"""The door events come through: `POST /events` and `POST /events/batch`.

Written against ASGI itself and decoded straight from bytes, because this is the path that carries the load;
its OpenAPI part stands in ``documented.py``. Order of work: room, credential, permission, backlog, size, shape, store.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

import msgspec

from tocsin.auth.body import check_content_type, read_body
from tocsin.auth.call import Gate
from tocsin.auth.entry import enter
from tocsin.auth.guard import read_user, refuse_token_beside_key, visiting
from tocsin.auth.once import checked_key
from tocsin.auth.principal import Principal
from tocsin.auth.tenant import Named
from tocsin.auth.tokens import Access
from tocsin.events.backlog import Backlog
from tocsin.events.declared import Declared
from tocsin.events.shape import EVENT_BYTES, Event, read_batch, read_event
from tocsin.events.store import EventStore, Incoming, Stored
from tocsin.kit import crash
from tocsin.kit.db import Env
from tocsin.kit.errors import BadRequest, Conflict, FieldError, Forbidden, Problem, Unauthorized
from tocsin.kit.hops import HEADER, read_hops
from tocsin.kit.ids import id_time, new_id_texts
from tocsin.kit.problems import as_problem, rendered
from tocsin.plans.quotas import SANDBOX_EVENTS, exhausted

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BATCH_BYTES = 5 * 1024 * 1024
_NEEDED = "events:write"
_json = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")
_VIA = HEADER.lower().encode()


class AcceptEvent:
    """`POST /events`."""

    def __init__(self, gate: Gate, store: EventStore, backlog: Backlog, declared: Declared) -> None:
        self._gate = gate
        self._store = store
        self._backlog = backlog
        self._declared = declared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._store.full:
                raise self._store.refusal()
            headers = dict(scope["headers"])
            caller = await _caller(self._gate, headers, scope)
            self._backlog.check(caller.project_id)
            hops = read_hops(headers.get(_VIA))
            body = await _body(headers, scope, receive, EVENT_BYTES)
            event = read_event(body, _idempotency_key(scope, headers))
            await self._declared.check(caller, event)
            (stored,) = await self._store.store(_incoming(caller, [event]), hops)
            status, answer = _answer(stored, caller.env)
            self._declared.note(caller, [event])
        except Exception as error:  # noqa: BLE001 - the edge: every failure becomes a problem, logged where unexpected
            await rendered(as_problem(error), scope.get("tocsin.request_id", ""))(scope, receive, send)
            return
        await _respond(send, status, answer)


class AcceptBatch:
    """`POST /events/batch`: a result for each index; a bad event does not spoil the others."""

    def __init__(self, gate: Gate, store: EventStore, backlog: Backlog, declared: Declared) -> None:
        self._gate = gate
        self._store = store
        self._backlog = backlog
        self._declared = declared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._store.full:
                raise self._store.refusal()
            headers = dict(scope["headers"])
            caller = await _caller(self._gate, headers, scope)
            self._backlog.check(caller.project_id)
            hops = read_hops(headers.get(_VIA))
            body = await _body(headers, scope, receive, BATCH_BYTES)
            answer = await self._accept(caller, read_batch(body), hops)
        except Exception as error:  # noqa: BLE001 - the edge: every failure becomes a problem, logged where unexpected
            await rendered(as_problem(error), scope.get("tocsin.request_id", ""))(scope, receive, send)
            return
        await _respond(send, 202, answer)

    async def _accept(self, caller: Principal, items: list[Event | Problem], hops: int) -> bytes:
        items = await self._declared.judged(caller, items)
        good = [item for item in items if isinstance(item, Event)]
        stored = iter(await self._store.store(_incoming(caller, good), hops) if good else [])
        results = [
            _refused(index, item) if isinstance(item, Problem) else _result(index, next(stored), caller.env)
            for index, item in enumerate(items)
        ]
        self._declared.note(caller, good)
        counts = Counter([result.status for result in results])
        return msgspec.json.encode(
            {
                "results": results,
                "accepted": counts["accepted"],
                "duplicates": counts["duplicate"],
                "rejected": counts["rejected"],
            }
        )


class _Result(msgspec.Struct):
    """What became of the event at an index."""

    index: int
    id: str | None
    status: str
    error: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


async def _caller(gate: Gate, headers: dict[bytes, bytes], scope: Scope) -> Principal:
    """Who sends, verified and allowed to; a key this process knows costs one look into memory."""
    env = _wanted_env(headers)
    key = headers.get(b"x-api-key")
    silent = gate.tenants.silent(headers, scope["query_string"])
    if key is not None:
        if b"authorization" in headers:
            refuse_token_beside_key(headers[b"authorization"].decode("latin-1"))
        name, secret = key.decode("latin-1"), headers.get(b"x-api-secret", b"").decode("latin-1")
        caller = gate.credentials.remembered(name, secret) or await _verified(gate, name, secret, scope)
        named = [] if silent else await gate.tenants.named(scope)
    else:
        access = _access(gate, headers)
        named = [] if silent else await gate.tenants.named(scope)
        caller = await _user(gate, access, env, named)
    await enter(caller, gate.rates, scope)
    if not silent:
        gate.tenants.confirm(caller, named, scope)
    if caller.project_status in ("suspended", "cancelled"):
        raise Forbidden(f"project_{caller.project_status}", f"The project is {caller.project_status}.")
    if _NEEDED not in caller.permissions:
        raise Forbidden("permission_missing", f"This needs the permission {_NEEDED}.")
    return caller


async def _verified(gate: Gate, name: str, secret: str, scope: Scope) -> Principal:
    client = scope.get("client")
    return await gate.credentials.verify(name, secret, client[0] if client else None)


def _access(gate: Gate, headers: dict[bytes, bytes]) -> Access:
    kind, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() != "bearer":
        raise Unauthorized(
            "not_authenticated",
            "Send X-API-Key and X-API-Secret, or Authorization: Bearer with an access token.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return gate.tokens.read_access(token.strip())


async def _user(gate: Gate, access: Access, env: Env, named: list[Named]) -> Principal:
    if (visitor := await visiting(gate, access, env, named)) is not None:
        return visitor
    async with gate.db.scope(access.project_id, env) as session:
        return await read_user(session, access, env)


def _wanted_env(headers: dict[bytes, bytes]) -> Env:
    env = headers.get(b"x-tocsin-env", b"live")
    if env not in (b"live", b"test"):
        raise BadRequest("invalid_env", "X-Tocsin-Env must be live or test.")
    return cast(Env, env.decode())


async def _body(headers: dict[bytes, bytes], scope: Scope, receive: Receive, most: int) -> bytes:
    check_content_type(
        headers.get(b"content-type", b"").decode("latin-1"), headers.get(b"content-encoding", b"").decode("latin-1")
    )
    return await read_body(headers.get(b"content-length", b"").decode("latin-1"), scope, receive, most)


def _idempotency_key(scope: Scope, headers: dict[bytes, bytes]) -> str | None:
    if b"idempotency-key" not in headers:
        return None
    return checked_key([value.decode("latin-1") for name, value in scope["headers"] if name == b"idempotency-key"])


def _incoming(caller: Principal, events: list[Event]) -> list[Incoming]:
    project, env = str(caller.project_id), caller.env
    return [
        Incoming(
            project,
            env,
            id_,
            event.type,
            _json(event.payload).decode(),
            event.source,
            event.client_event_id,
            event.timestamp and str(event.moment),
            event.client_event_id and f"\\x{sha256(event.canonical()).hexdigest()}",
        )
        for id_, event in zip(new_id_texts(len(events)), events, strict=True)
    ]


def _answer(stored: Stored, env: Env) -> tuple[int, bytes]:
    if stored.outcome == "accepted":
        return 202, b'{"id":"%s","duplicate":false}' % stored.id.encode()
    if stored.outcome == "duplicate":
        return 200, b'{"id":"%s","duplicate":true}' % stored.id.encode()
    if stored.outcome == "quota":
        raise _over_quota(stored, env)
    raise _conflict()


def _result(index: int, stored: Stored, env: Env) -> _Result:
    if stored.outcome == "conflict":
        return _refused(index, _conflict())
    if stored.outcome == "quota":
        return _refused(index, _over_quota(stored, env))
    return _Result(index, stored.id, stored.outcome)


def _refused(index: int, problem: Problem) -> _Result:
    error: dict[str, Any] = {"code": problem.code, "detail": problem.detail}
    if problem.errors:
        error["errors"] = [fault.as_json() for fault in problem.errors]
    return _Result(index, None, "rejected", error)


def _over_quota(stored: Stored, env: Env) -> Problem:
    return exhausted("events" if env == "live" else SANDBOX_EVENTS, id_time(UUID(stored.id)))


def _conflict() -> Conflict:
    detail = "This clientEventId was used before for an event with another body."
    return Conflict(
        "client_event_id_conflict", detail, errors=[FieldError("/clientEventId", "client_event_id_conflict", detail)]
    )


async def _respond(send: Send, status: int, body: bytes) -> None:
    crash.here("api.before_reply")
    headers = [_JSON, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    crash.here("api.after_reply")
