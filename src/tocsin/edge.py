"""What every request crosses first: a request id, a count, a clock, a place, and one log line where it failed."""

import itertools
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from fastapi import FastAPI
from prometheus_client import Counter, Histogram
from starlette.datastructures import State

from tocsin.auth.body import WRITES
from tocsin.auth.calls import CallCounter
from tocsin.auth.entry import CALLER
from tocsin.auth.rates import HEADERS
from tocsin.kit.addresses import Network
from tocsin.kit.crowd import Crowd
from tocsin.kit.errors import BadRequest, HeadersTooLarge, Problem, Unavailable
from tocsin.kit.forwarded import client_of
from tocsin.kit.ids import parse_id
from tocsin.kit.problems import rendered
from tocsin.methods import Methods
from tocsin.traffic import kind_of

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
LINES_A_SECOND = 20

log = structlog.get_logger(__name__)

_HOST = re.compile(rb"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_SECRET = re.compile(rb"\b(sk|is)_(live|test)_[0-9A-Za-z]{20}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+|\b(rt|lk)_[\w-]{60}")
_LANDING = re.compile(r"/api/v1/auth/sso/[^/]+/callback")
_LONG = re.compile(r"[\w-]{20,}")
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_numbers = itertools.count()


class Edge:
    """The outermost ASGI application. Sockets and the life of the process pass through untouched.

    ``express`` endpoints, by path, take POSTs of servers right here: the layers around a route of ``app`` cost more
    than accepting an event does. They answer every failure themselves. A browser's request, which names its origin,
    takes the same endpoint's route in ``app``, where CORS is spoken. ``proxies`` are the networks of ours whose
    ``X-Forwarded-For`` is believed; past this point the client of a scope is the real one.
    """

    def __init__(
        self,
        app: FastAPI,
        express: Mapping[str, Endpoint],
        calls: CallCounter,
        crowd: Crowd,
        methods: Methods,
        proxies: Sequence[Network] = (),
    ) -> None:
        self.app = app
        self._draining = False
        self._express = express
        self._calls = calls
        self._crowd = crowd
        self._methods = methods
        self._proxies = proxies
        self._counts: dict[tuple[str, str, int], Counter] = {}
        self._clocks: dict[str, Histogram] = {}
        self._second = self._told = 0

    @property
    def state(self) -> State:
        """What the application inside keeps for the whole process."""
        return self.app.state

    @property
    def draining(self) -> bool:
        """Whether the process is about to end: it is not ready, and each answer is the last one of its connection."""
        return self._draining

    @draining.setter
    def draining(self, draining: bool) -> None:
        self._draining = self.state.draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = new_request_id()
        scope["tocsin.request_id"] = request_id
        if self._proxies and scope.get("client"):
            scope["client"] = (client_of(scope["client"][0], _forwarded(scope), self._proxies), 0)
        began = time.perf_counter()

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    *scope.get(HEADERS, ()),
                ]
                if self._draining:
                    message["headers"].append((b"connection", b"close"))
                self._note(scope, message["status"], time.perf_counter() - began)
            await send(message)

        express = self._express.get(scope["path"]) if scope["method"] == "POST" else None
        wrong = _wrong_head(scope) or (None if express else self._wrong_method(scope))
        if wrong is not None:
            await rendered(wrong, request_id)(scope, receive, answer)
        elif express is None:
            await self._in_its_place(scope, receive, answer)
        elif _names_origin(scope):
            await self.app(scope, receive, answer)
        else:
            await express(scope, receive, answer)

    async def _in_its_place(self, scope: Scope, receive: Receive, answer: Send) -> None:
        """Run the application in a place among the others. It is taken when the whole body is here: whoever sends
        one slowly keeps nobody else out."""
        kind = kind_of(scope["method"], scope["path"])
        if kind is None:
            await self.app(scope, receive, answer)
            return
        inside = False

        async def arriving() -> MutableMapping[str, Any]:
            nonlocal inside
            message = await receive()
            if not inside and not message.get("more_body"):
                await self._crowd.enter(kind)
                inside = True
            return message

        try:
            if _has_body(scope):
                self._crowd.check(kind)
                await self.app(scope, arriving, answer)
            else:
                await self._crowd.enter(kind)
                inside = True
                await self.app(scope, receive, answer)
        except Unavailable as refusal:
            await rendered(_readable(refusal, scope), scope["tocsin.request_id"])(scope, receive, answer)
        finally:
            if inside:
                self._crowd.leave(kind)

    def _wrong_method(self, scope: Scope) -> Problem | None:
        if scope["method"] == "OPTIONS" and _names_origin(scope):
            return None
        return self._methods.refusal(scope["method"], scope["path"])

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
        caller = scope.get(CALLER)
        if caller is not None:
            self._calls.note(caller.project_id, status)
        if status >= 400 and (status not in (429, 503) or self._may_tell()):
            log.info(
                "request refused" if status < 500 else "request failed",
                request_id=scope["tocsin.request_id"],
                method=method,
                path=_loggable(scope["path"]),
                status=status,
                ms=round(seconds * 1000, 1),
            )

    def _may_tell(self) -> bool:
        """Of a crowd that is sent away some lines a second tell, and the metrics the rest: a line costs more than the
        refusal itself."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._told = second, 0
        self._told += 1
        return self._told <= LINES_A_SECOND

    def _fixed(self, path: str) -> str:
        """The route of a request that no router saw; strangers' paths must not become labels."""
        return path if path in self._express else "other"


def _loggable(path: str) -> str:
    """A path as it may stand in a log: somebody may have put a secret where an id belongs."""
    return _LONG.sub(lambda m: m[0] if parse_id(m[0]) else f"{m[0][:4]}…", path[:200])


def new_request_id() -> str:
    return f"req_{next(_numbers):x}"


def _begin_numbers() -> None:
    """From somewhere else in each process; a forked child must not go on with those of its parent."""
    global _numbers
    _numbers = itertools.count(int.from_bytes(os.urandom(5), "big") << 20)


_begin_numbers()
os.register_at_fork(after_in_child=_begin_numbers)


def _wrong_head(scope: Scope) -> Problem | None:
    """What is wrong with a head, found before anything builds upon it."""
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS:
        return _headers_too_large()
    hosts = 0
    for name, value in headers:
        if len(value) > HEADER_BYTES:
            return _headers_too_large()
        if name == b"host":
            hosts += 1
            if hosts > 1 or not _HOST.fullmatch(value):
                return _invalid_host()
    if not hosts and _wants_host(scope):
        return _invalid_host()
    return _wrong_query(scope) if scope["query_string"] else None


def _headers_too_large() -> Problem:
    return HeadersTooLarge("headers_too_large", f"At most {MOST_HEADERS} headers of {HEADER_BYTES} bytes each.")


def _invalid_host() -> Problem:
    return BadRequest("invalid_host", "Send one Host header with a host name, and a port if need be.")


def _wrong_query(scope: Scope) -> Problem | None:
    if len(scope["query_string"]) > QUERY_BYTES:
        return BadRequest("query_too_long", f"The query may have {QUERY_BYTES} bytes at most.")
    if _LANDING.fullmatch(scope["path"]):
        return None  # the codes of some providers look like secrets of ours, and are good for one use
    if _SECRET.search(unquote_to_bytes(scope["query_string"])):
        log.warning("secret in a URL", request_id=scope["tocsin.request_id"])
        detail = "A URL is no place for a secret: it ends up in logs. Send headers, and rotate this one."
        return BadRequest("secret_in_url", detail)
    return None


def _forwarded(scope: Scope) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]


def _wants_host(scope: Scope) -> bool:
    """HTTP/1.0, which load balancers still speak to ask after our health, knows no Host."""
    return bool(scope["http_version"] != "1.0")


def _has_body(scope: Scope) -> bool:
    """Whether one follows that will be read."""
    return scope["method"] in WRITES and any(
        (name == b"content-length" and value != b"0") or name == b"transfer-encoding"
        for name, value in scope["headers"]
    )


def _readable(refusal: Unavailable, scope: Scope) -> Unavailable:
    """The application, which speaks CORS, has not seen this request: say to a browser that its script may read it."""
    if _names_origin(scope):
        refusal.headers["Access-Control-Allow-Origin"] = "*"
        refusal.headers["Access-Control-Expose-Headers"] = "Retry-After, X-Request-Id"
    return refusal


def _names_origin(scope: Scope) -> bool:
    return any(name == b"origin" for name, _ in scope["headers"])
