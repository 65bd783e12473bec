"""What every request crosses first: a request id, a count, a clock, and one log line where it failed."""

import itertools
import os
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import structlog
from fastapi import FastAPI
from prometheus_client import Counter, Histogram
from starlette.datastructures import State

from tocsin.kit.errors import BadRequest, HeadersTooLarge, Problem
from tocsin.kit.problems import rendered

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUESTS = Counter("tocsin_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "tocsin_http_request_seconds",
    "Time to the first byte of the answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5),
)

MOST_HEADERS = 100
HEADER_BYTES = 8 * 1024
QUERY_BYTES = 8 * 1024

log = structlog.get_logger(__name__)

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_numbers = itertools.count(int.from_bytes(os.urandom(5), "big") << 20)


class Edge:
    """The outermost ASGI application. Sockets and the life of the process pass through untouched.

    ``express`` endpoints, by path, take POSTs of servers right here: the layers around a route of ``app`` cost more
    than accepting an event does. They answer every failure themselves. A browser's request, which names its origin,
    takes the same endpoint's route in ``app``, where CORS is spoken.
    """

    def __init__(self, app: FastAPI, express: Mapping[str, Endpoint]) -> None:
        self.app = app
        self._express = express
        self._counts: dict[tuple[str, str, int], Counter] = {}
        self._clocks: dict[str, Histogram] = {}

    @property
    def state(self) -> State:
        """What the application inside keeps for the whole process."""
        return self.app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = f"req_{next(_numbers):x}"
        scope["tocsin.request_id"] = request_id
        excess = _excess(scope)
        if excess is not None:
            log.info("request refused", request_id=request_id, status=excess.status, reason=excess.code)
            await rendered(excess, request_id)(scope, receive, send)
            return
        began = time.perf_counter()

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
                self._note(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self._endpoint(scope)(scope, receive, answer)

    def _endpoint(self, scope: Scope) -> Endpoint:
        endpoint = self._express.get(scope["path"])
        if endpoint is None or scope["method"] != "POST" or any(name == b"origin" for name, _ in scope["headers"]):
            return self.app
        return endpoint

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or self._fixed(scope["path"])
        method = scope["method"] if scope["method"] in _METHODS else "other"
        name = (method, route, status)
        count = self._counts.get(name)
        if count is None:
            count = self._counts[name] = REQUESTS.labels(method, route, str(status))
        count.inc()
        clock = self._clocks.get(route)
        if clock is None:
            clock = self._clocks[route] = SECONDS.labels(route)
        clock.observe(seconds)
        if status >= 400:
            log.info(
                "request refused" if status < 500 else "request failed",
                request_id=scope["tocsin.request_id"],
                method=method,
                path=scope["path"][:200],
                status=status,
                ms=round(seconds * 1000, 1),
            )

    def _fixed(self, path: str) -> str:
        """The route of a request that no router saw; strangers' paths must not become labels."""
        return path if path in self._express else "other"


def _excess(scope: Scope) -> Problem | None:
    """Heads that no honest client sends, refused before anything parses them."""
    if len(scope["headers"]) > MOST_HEADERS or any(len(value) > HEADER_BYTES for _, value in scope["headers"]):
        return HeadersTooLarge("headers_too_large", f"At most {MOST_HEADERS} headers of {HEADER_BYTES} bytes each.")
    if len(scope["query_string"]) > QUERY_BYTES:
        return BadRequest("query_too_long", f"The query may have {QUERY_BYTES} bytes at most.")
    return None
