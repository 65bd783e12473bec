"""An HTTP/2 server on loopback, made of the library ``h2``, whose answers a test decides."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import h2.events
import msgspec
import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes


@dataclass
class Asked:
    headers: dict[str, str]
    connection: int
    body: bytes = b""

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass(frozen=True)
class Answer:
    """``silent`` says nothing, ``goaway`` ends the connection without having looked at the request."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    goaway: bool = False


@dataclass
class Http2Server:
    """``answers`` are given in their order, the last one again and again; ``hold`` delays all of them."""

    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    pings: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def http2_server(
    authority: trustme.CA, host: str = "localhost", alpn: str = "h2", most_streams: int = 100
) -> AsyncIterator[Http2Server]:
    served = Http2Server()
    served.hold.set()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols([alpn])
    authority.issue_cert(host).configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        with suppress(OSError, asyncio.CancelledError):
            await _Talk(served, reader, writer, served.connections, most_streams).run()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    served.url = f"https://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()


class _Talk:
    def __init__(
        self,
        served: Http2Server,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
        most_streams: int,
    ) -> None:
        self.served, self.reader, self.writer, self.number = served, reader, writer, number
        self.protocol = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.most_streams = most_streams
        self.open: dict[int, Asked] = {}
        self.answering: set[asyncio.Task[None]] = set()
        self.takes: dict[type[h2.events.Event], Callable[[Any], None]] = {
            h2.events.RequestReceived: self.begin,
            h2.events.DataReceived: self.more,
            h2.events.StreamEnded: self.end,
            h2.events.PingReceived: self.ping,
        }

    async def run(self) -> None:
        self.protocol.initiate_connection()
        self.protocol.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self.most_streams})
        self.flush()
        while data := await self.reader.read(65_536):
            for event in self.protocol.receive_data(data):
                self.takes.get(type(event), lambda event: None)(event)
            self.flush()

    def begin(self, event: h2.events.RequestReceived) -> None:
        self.open[event.stream_id or 0] = Asked(dict(event.headers or ()), self.number)  # type: ignore[arg-type]

    def more(self, event: h2.events.DataReceived) -> None:
        self.open[event.stream_id or 0].body += event.data or b""
        self.protocol.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)

    def ping(self, event: h2.events.PingReceived) -> None:
        self.served.pings += 1

    def end(self, event: h2.events.StreamEnded) -> None:
        stream = event.stream_id or 0
        answer = self.served.next_answer()
        if answer.goaway:
            self.protocol.close_connection(last_stream_id=0)
            return
        self.served.asked.append(self.open.pop(stream))
        if not answer.silent:
            task = asyncio.create_task(self.answer(stream, answer))
            self.answering.add(task)
            task.add_done_callback(self.answering.discard)

    async def answer(self, stream: int, answer: Answer) -> None:
        await self.served.hold.wait()
        headers = [(":status", str(answer.status)), *answer.headers.items()]
        self.protocol.send_headers(stream, headers, end_stream=not answer.body)
        if answer.body:
            self.protocol.send_data(stream, answer.body, end_stream=True)
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.protocol.data_to_send())
