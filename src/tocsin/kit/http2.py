"""HTTP/2 for providers that take nothing else: many exchanges at a time over one connection (RFC 9113).

``Http2Pool`` belongs to the door, which judges where the sockets lead.
"""

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakValueDictionary

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes

from tocsin.kit.loops import ended

HANDSHAKE_SECONDS = 5.0
MOST_CONNECTIONS = 200
MOST_BODY = 65_536
QUIET_SECONDS = 60.0
"""A connection that was silent for so long is asked whether it is there: a firewall may have forgotten it."""
PING_SECONDS = 3.0

_READ = 65_536


class Broken(Exception):
    """The connection came to its end before the answer did."""


class NotProcessed(Broken):
    """The same, and the other end says that it has not looked at the request: it can be sent again."""


class Untrusted(Broken):
    """The TLS handshake failed, or what came of it is not HTTP/2."""


@dataclass(slots=True)
class Answer:
    """What came back. Header names are lower case; ``cut`` tells that there was more body than we took."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    cut: bool = False


Connect = Callable[[], Awaitable[socket.socket]]
"""Makes a connected socket that the caller then owns."""


class Http2Pool:
    """One connection for each key, opened when it is needed; the ones that were used longest ago give way."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._open: OrderedDict[str, Connection] = OrderedDict()
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def exchange(
        self,
        key: str,
        connect: Connect,
        host: str,
        port: int,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        """One request and its answer. Raises Broken, and whatever ``connect`` raises."""
        authority = f"[{host}]" if ":" in host else host
        authority = authority if port == 443 else f"{authority}:{port}"
        asked = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)]
        asked += [(name.lower(), value) for name, value in headers.items()]
        try:
            return await (await self._connection(key, connect, host)).exchange(asked, body)
        except NotProcessed:
            return await (await self._connection(key, connect, host)).exchange(asked, body)

    async def _connection(self, key: str, connect: Connect, host: str) -> "Connection":
        lock = self._opening.setdefault(key, asyncio.Lock())
        async with lock:
            found = self._open.get(key)
            if found is not None and await found.is_there():
                self._open.move_to_end(key)
                return found
            made = await opened(await connect(), host, self._negotiating())
            self._open[key] = made
            self._open.move_to_end(key)
            if len(self._open) > MOST_CONNECTIONS:
                self._open.popitem(last=False)[1].retire()
            return made

    def _negotiating(self) -> ssl.SSLContext:
        """A context that asks for HTTP/2 and trusts whom the door's trusts, which serves HTTP/1.1 as well."""
        if self._context is None:
            self._context = ssl.create_default_context()
            if trusted := self._tls.get_ca_certs(binary_form=True):
                self._context.load_verify_locations(cadata=b"".join(trusted))
            self._context.set_alpn_protocols(["h2"])
        return self._context

    async def close(self) -> None:
        """End every connection, and what is under way on it as Broken."""
        for connection in self._open.values():
            await connection.close()
        self._open.clear()


async def opened(sock: socket.socket, host: str, tls: ssl.SSLContext) -> "Connection":
    """A connection over a connected socket. Raises Untrusted."""
    try:
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=tls, server_hostname=host, ssl_handshake_timeout=HANDSHAKE_SECONDS
        )
    except ssl.SSLCertVerificationError as error:
        sock.close()
        raise Untrusted(f"The certificate is refused: {error.verify_message}.") from error
    except OSError as error:  # also the timeout of the handshake
        sock.close()
        raise Untrusted("The TLS handshake failed.") from error
    secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
    if secured.selected_alpn_protocol() != "h2":
        writer.close()
        raise Untrusted("The server does not speak HTTP/2.")
    return Connection(reader, writer)


class Connection:
    """One HTTP/2 connection, from the client's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._protocol.initiate_connection()
        self._protocol.update_settings({SettingCodes.ENABLE_PUSH: 0})
        self._waiting: dict[int, tuple[Answer, asyncio.Future[Answer]]] = {}
        self._moved = asyncio.Event()
        """Set whenever there may be room again for what waits to be sent."""
        self._pong: asyncio.Future[None] | None = None
        self._retired = False
        self._heard_at = asyncio.get_running_loop().time()
        self._flush()
        self._listening = asyncio.create_task(self._listen())

    async def is_there(self) -> bool:
        """Whether another request may be made."""
        loop = asyncio.get_running_loop()
        if self._retired or loop.time() - self._heard_at < QUIET_SECONDS or self._waiting:
            return not self._retired
        self._pong = loop.create_future()
        self._protocol.ping(b"tocsin.?")
        self._flush()
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._pong
        except (TimeoutError, Broken):
            self.retire()
        return not self._retired

    async def exchange(self, headers: list[tuple[str, str]], body: bytes) -> Answer:
        """One request and its answer. Raises Broken; cut off, it ends its stream, and the connection takes no more."""
        while not self._has_room():
            await self._movement()
        if self._retired:
            raise NotProcessed("The connection was ended.")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        stream = self._protocol.get_next_available_stream_id()
        self._waiting[stream] = Answer(), answer
        try:
            self._protocol.send_headers(stream, headers, end_stream=not body)
            await self._send(stream, body, answer)
            return await answer
        except H2Error as error:
            raise Broken("The connection ended without a valid answer.") from error
        except asyncio.CancelledError:
            # Nobody came back in time: perhaps nobody is there.
            with suppress(H2Error):
                self._protocol.reset_stream(stream, ErrorCodes.CANCEL)
                self._flush()
            self.retire()
            raise
        finally:
            self._waiting.pop(stream, None)
            self._moved.set()
            self._end_if_idle()

    def _has_room(self) -> bool:
        most = self._protocol.remote_settings.max_concurrent_streams
        return self._retired or self._protocol.open_outbound_streams < most

    async def _send(self, stream: int, body: bytes, answer: asyncio.Future[Answer]) -> None:
        """As much at a time as the other end has room for; an answer that comes before the end makes an end of it."""
        self._flush()
        while body and not answer.done():
            room = min(self._protocol.local_flow_control_window(stream), self._protocol.max_outbound_frame_size)
            if room <= 0:
                await self._movement()
                continue
            part, body = body[:room], body[room:]
            self._protocol.send_data(stream, part, end_stream=not body)
            self._flush()
        if body:
            self._protocol.reset_stream(stream, ErrorCodes.NO_ERROR)
            self._flush()
        await self._writer.drain()

    async def _movement(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _flush(self) -> None:
        self._writer.write(self._protocol.data_to_send())

    async def _listen(self) -> None:
        """Hear the other end out; whatever waits when it falls silent has no answer any more."""
        reason = "The connection ended without a valid answer."
        try:
            while data := await self._reader.read(_READ):
                self._heard_at = asyncio.get_running_loop().time()
                for event in self._protocol.receive_data(data):
                    self._take(event)
                self._flush()
        except (OSError, H2Error, ValueError) as error:  # a status or text that is none
            reason = f"The connection broke: {type(error).__name__}."
        finally:
            self._fail(Broken(reason), 0)
            self.retire()
            self._writer.close()

    def _take(self, event: Event) -> None:
        self._moved.set()
        match event:
            case ResponseReceived():
                self._begin_answer(event)
            case DataReceived():
                self._add_to_answer(event)
            case StreamEnded():
                if waiting := self._waiting.get(event.stream_id or 0):
                    _settle(waiting[1], waiting[0])
            case StreamReset():
                refused = event.error_code == ErrorCodes.REFUSED_STREAM
                if waiting := self._waiting.get(event.stream_id or 0):
                    _settle(waiting[1], (NotProcessed if refused else Broken)("The server ended the exchange."))
            case PingAckReceived():
                if self._pong:
                    _settle(self._pong, None)
            case ConnectionTerminated():
                self._fail(NotProcessed("The server ended the connection."), event.last_stream_id or 0)
                self.retire()
            case WindowUpdated() | RemoteSettingsChanged():
                pass  # there may be room

    def _begin_answer(self, event: ResponseReceived) -> None:
        if waiting := self._waiting.get(event.stream_id or 0):
            fields = {str(name): str(value) for name, value in event.headers or ()}
            waiting[0].status = int(fields.pop(":status"))
            waiting[0].headers = fields

    def _add_to_answer(self, event: DataReceived) -> None:
        self._protocol.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        if waiting := self._waiting.get(event.stream_id or 0):
            body = waiting[0].body
            data = event.data or b""
            waiting[0].cut = waiting[0].cut or len(body) + len(data) > MOST_BODY
            body += data[: MOST_BODY - len(body)]

    def _fail(self, failure: Broken, after: int) -> None:
        """What waits on streams behind that one gets no answer."""
        for stream, (_, answer) in self._waiting.items():
            if stream > after:
                _settle(answer, failure)
        if self._pong:
            _settle(self._pong, failure)

    def retire(self) -> None:
        """Take no further request; end once those under way have their answers."""
        self._retired = True
        self._moved.set()
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._retired and not self._waiting:
            self._writer.close()

    async def close(self) -> None:
        """End at once."""
        self._retired = True
        self._fail(Broken("The connection was closed."), 0)
        await ended(self._listening)
        if not self._writer.is_closing():
            self._writer.transport.abort()


T = TypeVar("T")


def _settle(future: asyncio.Future[T], what: T | Exception) -> None:
    """Give a future its result or failure, unless it has one or nobody waits any more."""
    if future.done():
        return
    if isinstance(what, Exception):
        future.set_exception(what)
        future.exception()  # whoever waits is told; where nobody does, nothing is lost
    else:
        future.set_result(what)
