"""The process that runs Apprise: imports it once, then forks for each message a process that may do little (`jail`).

Orders come on stdin, results leave on stdout (`exchange`). A fork has its own deadline, memory and processor time;
the library's own log goes nowhere, since it repeats addresses that hold secrets.
"""

import gc
import os
import resource
import select
import signal
from collections.abc import Iterator
from typing import Any

import msgspec
import requests
from apprise import Apprise, AppriseAsset
from apprise.manager_plugins import NotificationManager
from requests.adapters import HTTPAdapter

from tocsin.channels.longtail.exchange import LENGTH, MOST_REPLY, Order, Result, Rules, framed
from tocsin.channels.longtail.jail import Jail
from tocsin.channels.longtail.services import SCHEMES
from tocsin.kit.http import CONNECT_SECONDS, MAX_BODY, TLS_SECONDS, TOTAL_SECONDS, Blocked

MEMORY_BYTES = 512 << 20
CPU_SECONDS = 10
MOST_CALLS = 20
"""Requests that one message may cause: services log in first, and may split a text."""
WORDS_KEPT = 2_000

_ORDERS = msgspec.msgpack.Decoder(Order)


def main() -> None:
    """``python -m tocsin.channels.longtail.child``, started by `library.Library`; the rules come first."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    orders, results = _claim_pipes()
    jail = Jail(msgspec.msgpack.decode(next(_frames(orders)), type=Rules))
    NotificationManager().load_modules()  # type: ignore[no-untyped-call]
    gc.freeze()
    os.write(results, framed(Result(0, "ready")))
    _serve(orders, results, jail)


def _claim_pipes() -> tuple[int, int]:
    """The two pipes, out of reach of stray prints."""
    orders, results = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return orders, results


def _frames(orders: int) -> Iterator[bytes]:
    """Whole frames; ends when the parent has closed the pipe."""
    while header := _read(orders, LENGTH.size):
        yield _read(orders, LENGTH.unpack(header)[0])


def _read(pipe: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = os.read(pipe, size - len(found))
        if not part:
            return b""
        found += part
    return found


def _serve(orders: int, results: int, jail: Jail) -> None:
    running: dict[int, int] = {}
    frames = _frames(orders)
    while True:
        if select.select([orders], [], [], 0.05 if running else None)[0]:
            frame = next(frames, None)
            if frame is None:
                return
            order = _ORDERS.decode(frame)
            running[_forked(order, results, jail)] = order.number
        _bury(running, results)


def _forked(order: Order, results: int, jail: Jail) -> int:
    """The process id of a fork that works on an order."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(order.seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    status = 1
    try:
        _answer(order, results, jail)
        status = 0
    finally:
        os._exit(status)


def _bury(running: dict[int, int], results: int) -> None:
    """Tell of orders whose fork ended before it could."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        number = running.pop(pid)
        if status:
            os.write(results, framed(Result(number, "died")))


def _answer(order: Order, results: int, jail: Jail) -> None:
    calls = _Calls(jail, dry=order.dry)
    calls.watch()
    jail.close()
    result = _carried_out(order, calls)
    if len(framed(result)) > MOST_REPLY:
        result.answer = ""
    os.write(results, framed(result))


def _carried_out(order: Order, calls: "_Calls") -> Result:
    service = _service(order.url)
    if service is None:
        return Result(order.number, "invalid")
    name = str(service.service_name)[:100]
    apprise = Apprise(asset=service.asset)
    apprise.add(service)
    taken = bool(apprise.notify(body=order.body, title=order.title, notify_type=order.kind, body_format="text"))
    if blocked := calls.jail.blocked:
        return Result(order.number, "blocked", name, blocked.code, blocked.detail)
    if order.dry:
        return Result(order.number, "taken", name)
    outcome = "taken" if taken and calls.count else "refused"
    return Result(order.number, outcome, name, "", "", calls.status, calls.retry_after, calls.answer)


def _service(url: str) -> Any:
    """The one service that a URL names, or None. Its scheme is looked at here too, as Apprise read it."""
    asset = AppriseAsset(storage_mode="memory", secure_logging=True, app_id="Tocsin", app_desc="Tocsin")
    service = Apprise.instantiate(url, asset=asset)
    if service is None or not {url.partition("://")[0].lower()} <= SCHEMES & _schemes_of(service):
        return None
    return service


def _schemes_of(service: Any) -> set[str]:
    found: set[str] = set()
    for name in ("protocol", "secure_protocol"):
        said = getattr(service, name) or ()
        found |= {said} if isinstance(said, str) else set(said)
    return found


class _Enough(Exception):
    """A dry order goes no further than this."""


class _Calls:
    """The HTTP calls of a fork: judged before they leave, bounded, and remembered."""

    def __init__(self, jail: Jail, *, dry: bool) -> None:
        self.jail = jail
        self.dry = dry
        self.count = 0
        self.status: int | None = None
        self.retry_after: str | None = None
        self.answer = ""

    def watch(self) -> None:
        """Stand before every call of `requests`; it follows no redirect and believes no certificate less than ours."""
        send = HTTPAdapter.send
        calls = self

        def judged(self: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            calls.begin(str(request.url))
            timeout = (CONNECT_SECONDS + TLS_SECONDS, TOTAL_SECONDS)
            response = send(self, request, **{**options, "timeout": timeout, "verify": True, "stream": True})
            calls.end(response)
            return response

        HTTPAdapter.send = judged  # type: ignore[assignment,method-assign]
        requests.Session.get_redirect_target = lambda *_: None  # type: ignore[method-assign]

    def begin(self, url: str) -> None:
        self.count += 1
        if self.count > MOST_CALLS:
            self.jail.blocked = Blocked("url_invalid", f"A message causes {MOST_CALLS} calls at most.")
            raise self.jail.blocked
        host, port = self.jail.judge_url(url)
        if self.dry:
            self.jail.judge_host(host, port)
            raise _Enough

    def end(self, response: requests.Response) -> None:
        """Read so much of the answer and no more."""
        content = response.raw.read(MAX_BODY, decode_content=True)
        response._content = content
        response._content_consumed = True
        response.close()
        self.status = response.status_code
        self.retry_after = (response.headers.get("retry-after") or "")[:100] or None
        self.answer = content[:WORDS_KEPT].decode("utf-8", "replace")


if __name__ == "__main__":
    main()
