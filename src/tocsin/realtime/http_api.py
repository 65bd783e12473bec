"""Pusher's HTTP API (W1): a project's server publishes, asks who is connected, and ends connections.

``/apps/{app_id}/...`` as Pusher documents it, so that its server libraries work unchanged. Errors are a status and
a sentence of plain text. Signed by the app's secret under any of its keys in use, each call is one of the backend:
the addresses and the limits of that key hold, and it counts among the project's calls.
(https://pusher.com/docs/channels/library_auth_reference/rest-api/)
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fastapi import Request, Response
from starlette.routing import Route

from tocsin.auth.body import read_body
from tocsin.auth.call import Gate
from tocsin.auth.entry import enter
from tocsin.auth.guard import json_response
from tocsin.kit.errors import BadRequest, Forbidden, Problem, Unauthorized
from tocsin.kit.problems import as_problem
from tocsin.realtime import protocol
from tocsin.realtime.census import Headcount
from tocsin.realtime.protocol import MAX_USER_ID, is_presence
from tocsin.realtime.publishing import MAX_BODY_BYTES, Event, check_channel, read_batch, read_event, read_info
from tocsin.realtime.server import App
from tocsin.realtime.signed import Signed, read_signed
from tocsin.realtime.sockets import Sockets


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request whose signature was right."""

    app: App
    params: dict[str, str]
    path: dict[str, str]
    body: bytes


_Answering = Callable[[_Asked], Awaitable[Any]]


class HttpApi:
    """The routes of one process, whether or not it has sockets itself."""

    def __init__(self, gate: Gate, sockets: Sockets) -> None:
        self._gate = gate
        self._apps = sockets.apps
        self._relay = sockets.relay
        self._census = sockets.census

    def routes(self) -> list[Route]:
        return [
            Route("/apps/{app_id}/events", self._signed(self._publish), methods=["POST"]),
            Route("/apps/{app_id}/batch_events", self._signed(self._publish_batch), methods=["POST"]),
            Route("/apps/{app_id}/channels", self._signed(self._channels), methods=["GET"]),
            Route("/apps/{app_id}/channels/{channel}", self._signed(self._channel), methods=["GET"]),
            Route("/apps/{app_id}/channels/{channel}/users", self._signed(self._users), methods=["GET"]),
            Route("/apps/{app_id}/users/{user_id}/terminate_connections", self._signed(self._end), methods=["POST"]),
            # The library for Python 3.3.4 leaves the app out here; the key names it as well.
            Route("/users/{user_id}/terminate_connections", self._signed(self._end), methods=["POST"]),
        ]

    def _signed(self, answering: _Answering) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return json_response(await answering(await self._admitted(request)))
            except Exception as error:  # noqa: BLE001 - the edge: every failure becomes a problem, logged where unexpected
                return _refusal(as_problem(error))

        return endpoint

    async def _admitted(self, request: Request) -> _Asked:
        """Raises Unauthorized alike for a key, an app and a pair of them that do not exist."""
        body = await read_body(request.headers.get("content-length"), request.scope, request.receive, MAX_BODY_BYTES)
        signed = _read(request, body)
        opened = await self._apps.open(signed.key)
        if opened is None or request.path_params.get("app_id", opened.app.app_id) != opened.app.app_id:
            raise Unauthorized("invalid_key", "auth_key is no key in use of this app.")
        app, caller = opened
        if not signed.by(app.secrets):
            words = signed.texts[0].replace("\n", "\\n")
            raise Unauthorized("invalid_signature", f'auth_signature is not the HMAC-SHA256 of "{words}" in hex.')
        self._gate.credentials.last_used.note(caller.project_id, caller.id)
        await enter(caller, self._gate.rates, request.scope)
        self._gate.tenants.confirm(caller, await self._gate.tenants.named(request.scope), request.scope)
        if not app.enabled:
            raise Forbidden(f"project_{caller.project_status}", f"The project is {caller.project_status}.")
        return _Asked(app, dict(signed.params), request.path_params, body)

    async def _publish(self, asked: _Asked) -> Any:
        event = read_event(asked.body)
        self._send(asked.app, event)
        info = read_info(event.info)
        if not info:
            return {}
        return {"channels": {channel: await self._attributes(asked.app, channel, info) for channel in event.to}}

    async def _publish_batch(self, asked: _Asked) -> Any:
        events = read_batch(asked.body)
        for event in events:
            self._send(asked.app, event)
        if not any(event.info for event in events):
            return {}
        return {"batch": [await self._attributes(asked.app, each.to[0], read_info(each.info)) for each in events]}

    def _send(self, app: App, event: Event) -> None:
        for channel in event.to:
            payload = protocol.event(event.name, channel, event.data)
            self._relay.send(app, channel, payload, event.socket_id or None)

    async def _channels(self, asked: _Asked) -> Any:
        prefix = asked.params.get("filter_by_prefix", "")
        info = read_info(asked.params.get("info"), prefix)
        found = await self._census.channels(asked.app.app_id, prefix)
        return {"channels": {name: _attributes(heads, info) for name, heads in found.items()}}

    async def _channel(self, asked: _Asked) -> Any:
        name = asked.path["channel"]
        check_channel(name)
        info = read_info(asked.params.get("info"), name)
        heads = await self._census.channel(asked.app.app_id, name)
        return {"occupied": heads.subscriptions > 0, **_attributes(heads, info)}

    async def _users(self, asked: _Asked) -> Any:
        name = asked.path["channel"]
        check_channel(name)
        if not is_presence(name):
            raise BadRequest("not_a_presence_channel", "Users are known of presence channels only.")
        heads = await self._census.channel(asked.app.app_id, name)
        return {"users": [{"id": member} for member in heads.members]}

    async def _end(self, asked: _Asked) -> Any:
        user_id = asked.path["user_id"]
        if len(user_id) > MAX_USER_ID:
            raise BadRequest("user_id", f"A user id has 1 to {MAX_USER_ID} characters.")
        self._relay.end_user(asked.app, user_id)
        return {}

    async def _attributes(self, app: App, channel: str, info: frozenset[str]) -> dict[str, int]:
        return _attributes(await self._census.channel(app.app_id, channel), info) if info else {}


def _read(request: Request, body: bytes) -> Signed:
    """Libraries sign a path as they write it, and their HTTP clients may spell it differently."""
    raw = request.scope.get("raw_path", b"").decode("latin-1")
    paths = (raw, unquote(raw), request.scope["path"])
    return read_signed(request.method, paths, request.scope["query_string"].decode("latin-1"), body)


def _attributes(heads: Headcount, info: frozenset[str]) -> dict[str, int]:
    counted = {"subscription_count": heads.subscriptions, "user_count": len(heads.members)}
    return {name: count for name, count in counted.items() if name in info}


def _refusal(problem: Problem) -> Response:
    return Response(problem.detail + "\n", problem.status, problem.headers, "text/plain")
