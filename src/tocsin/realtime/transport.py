"""Sockets under uvicorn: our own protocol class instead of its ASGI one, for ten thousand in one process.

ASGI costs a task, queues, a scope and copies of the headers for every socket: 18 to 27 KiB for an idle one,
measured with uvicorn 0.54 and each of its WebSocket implementations. It also hides the two things a
broadcaster needs: writing the same ready bytes to everybody without waiting for anybody, and noticing who
does not read them. The library ``websockets`` still speaks RFC 6455 (handshake, unmasking, fragments,
control frames); this module only moves its bytes. There is no compression: a deflate window per socket
would cost more than all the rest.
"""

import asyncio
import logging
from typing import Any, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from tocsin.realtime.client import Client
from tocsin.realtime.protocol import MAX_FRAME_BYTES, OVER_CAPACITY
from tocsin.realtime.server import RealtimeServer

OUTBOX_BYTES = 256 * 1024
"""What may wait for one client that does not read. With more it is sent away, so nobody else waits for it."""
INBOX_MESSAGES = 32
"""Messages of one client in waiting before we stop reading from it."""
CLOSE_SECONDS = 5.0
"""How long a client has to answer our goodbye before the connection is cut."""

_log = logging.getLogger("tocsin.realtime")
_quiet = logging.getLogger("tocsin.realtime.websocket")
_quiet.setLevel(logging.WARNING)


def websocket_protocol(server: RealtimeServer) -> type[asyncio.Protocol]:
    """The class to give to uvicorn as ``ws``: every WebSocket of that uvicorn then talks to this server."""

    class RealtimeSocket(_Socket):
        __slots__ = ()
        realtime = server

    return RealtimeSocket


class _Socket(asyncio.Protocol):
    """One connection, made by uvicorn when a request asks for an upgrade. Is the ``Link`` of its client.

    While a message is being worked on, ``worker`` is set and what else arrives waits in ``inbox``, so
    messages of one client are done in order; an idle socket has neither.
    """

    realtime: RealtimeServer
    __slots__ = (
        "client",
        "connections",
        "fragments",
        "inbox",
        "open",
        "tasks",
        "transport",
        "wire",
        "worker",
    )

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        """uvicorn's signature; ``server_state`` holds what it waits for when it shuts down."""
        self.connections: set[Any] = server_state.connections
        self.tasks: set[asyncio.Task[None]] = server_state.tasks
        self.wire = ServerProtocol(max_size=MAX_FRAME_BYTES, logger=_quiet)
        self.client: Client | None = None
        self.fragments: list[bytes] | None = None
        self.inbox: list[bytes] | None = None
        self.worker: asyncio.Task[None] | None = None
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=OUTBOX_BYTES)
        self.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self.client is not None:
            self.realtime.heard(self.client)
        self.wire.receive_data(data)
        for event in self.wire.events_received():
            if isinstance(event, Request):
                self._shake_hands(event)
            else:
                self._frame_received(cast(Frame, event))
        self._flush()

    def _shake_hands(self, request: Request) -> None:
        response = self.wire.accept(request)
        self.wire.send_response(response)
        self._flush()
        if response.status_code == 101:
            self.open = True
            self._start(self._admit(request))

    def _frame_received(self, frame: Frame) -> None:
        """Gather text. Binary means nothing in this protocol; control frames are answered by ``wire``."""
        if frame.opcode is Opcode.TEXT:
            self.fragments = []
        elif frame.opcode is Opcode.BINARY:
            self.fragments = None
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT) or self.fragments is None:
            return
        self.fragments.append(bytes(frame.data))
        if frame.fin:
            message, self.fragments = b"".join(self.fragments), None
            self._message_received(message)

    def _message_received(self, message: bytes) -> None:
        if not self.open:
            return
        if self.inbox is None:
            self.inbox = []
        self.inbox.append(message)
        if self.worker is None:
            self._start(self._work())
        elif len(self.inbox) == INBOX_MESSAGES:
            self.transport.pause_reading()

    def _start(self, work: Any) -> None:
        self.worker = asyncio.get_running_loop().create_task(work)
        self.tasks.add(self.worker)
        self.worker.add_done_callback(self._worked)

    async def _admit(self, request: Request) -> None:
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.raw_items()]
        self.client = await self.realtime.admit(self, request.path, headers)
        if self.client is not None and not self.open:
            self.realtime.hub.disconnect(self.client)
        await self._work()

    async def _work(self) -> None:
        while self.inbox and self.client is not None:
            batch, self.inbox = self.inbox, None
            for message in batch:
                await self.realtime.receive(self.client, message)
            if len(batch) >= INBOX_MESSAGES and not self.transport.is_closing():
                self.transport.resume_reading()
        self.worker = None

    def _worked(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a realtime socket failed", exc_info=error)
            self.transport.abort()

    def send(self, frame: bytes) -> None:
        if self.open:
            self.transport.write(frame)

    def close(self, code: int, reason: str) -> None:
        if not self.open:
            return
        self.open = False
        self.wire.send_close(code, reason)
        self._flush()
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.transport.abort)

    def _flush(self) -> None:
        for output in self.wire.data_to_send():
            if output:
                self.transport.write(output)
            else:
                self.open = False
                self.transport.close()

    def pause_writing(self) -> None:
        """The client does not read: over ``OUTBOX_BYTES`` wait for it. Called from inside a broadcast."""
        asyncio.get_running_loop().call_soon(self._send_away)

    def shutdown(self) -> None:
        """uvicorn is going down. Sockets that ``Hub.drain`` has not sent away yet are sent away now."""
        if self.client is None:
            self.transport.close()
        else:
            self._send_away()

    def _send_away(self) -> None:
        if self.client is not None:
            self.realtime.hub.close(self.client, OVER_CAPACITY)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self.connections.discard(self)
        if self.client is not None:
            self.realtime.hub.disconnect(self.client)
            self.client = None
