"""HTTP/1.1 as uvicorn reads it, with the bounds it leaves open: on heads, on idle clients, on bodies nobody reads.

What is no HTTP at all never reaches the application, so it is answered here, as the same problem+json.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tocsin.auth.body import TOO_SLOW
from tocsin.edge import new_request_id
from tocsin.kit.errors import BadRequest, HeadersTooLarge, Problem, RequestTimeout
from tocsin.kit.problems import rendered

HEAD_BYTES = 64 * 1024
"""Of one request line and its headers; beyond it llhttp would go on collecting."""
HEAD_SECONDS = 15.0
"""From the connection, or from the first byte of a further request, to the end of the headers."""
BODY_SECONDS = 15.0
"""From the end of the headers to that of the body, for what does not come together with them."""
LINGER_SECONDS = 5.0
"""How long the rest of a refused body is thrown away. Closing at once would reset the connection, and with it
the answer before the client has read it."""


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    _in_head = True
    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._refuse(HeadersTooLarge("headers_too_large", f"A head may have {HEAD_BYTES // 1024} KiB at most."))
        elif self._in_head and self._head_bytes:
            self._wait(HEAD_SECONDS)
        elif not self._in_head and self.cycle is not None:
            self._wait(LINGER_SECONDS if self.cycle.response_complete else BODY_SECONDS)

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        self._forget_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._forget_deadline()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(BadRequest("malformed_http", "This is not a valid HTTP/1.1 request."))

    def _wait(self, seconds: float) -> None:
        """For so long at most, and no longer than was said before."""
        end = self.loop.time() + seconds
        if self._deadline is None or end < self._deadline.when():
            self._forget_deadline()
            self._deadline = self.loop.call_at(end, self._too_late)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self._in_head and self._head_bytes:
            detail = f"The headers did not arrive within {HEAD_SECONDS:.0f} seconds."
            self._refuse(RequestTimeout("head_too_slow", detail))
        elif not self._in_head and self.cycle is not None and not self.cycle.response_complete:
            self._give_up_body(self.cycle)
        else:
            self.transport.close()

    def _give_up_body(self, cycle: RequestResponseCycle) -> None:
        """Let whoever reads it say so; the connection ends with the answer."""
        cast("dict[str, Any]", cycle.scope)[TOO_SLOW] = BODY_SECONDS
        cycle.more_body = cycle.keep_alive = False
        cycle.message_event.set()

    def _refuse(self, problem: Problem) -> None:
        """Answer, unless an earlier request of the connection is still being answered, and close."""
        self._forget_deadline()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            answer = rendered(problem, new_request_id())
            lines = [STATUS_LINE[problem.status], b"connection: close\r\n"]
            lines += [name + b": " + value + b"\r\n" for name, value in answer.raw_headers]
            self.transport.write(b"".join([*lines, b"\r\n", bytes(answer.body)]))
        self.transport.close()
