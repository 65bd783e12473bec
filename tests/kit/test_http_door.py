"""H3 at connection time: lying resolvers, redirects, hostile servers, certificates (bad inputs 65 to 71)."""

import asyncio
import gzip
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
import trustme
from aiohttp import web

from tocsin import __version__
from tocsin.kit.http import MAX_BODY, Blocked, Door, Unreachable

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with Door(allowed=LOOPBACK) as door:
        yield door


@asynccontextmanager
async def raw_server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that reads one request head and then does as it likes; yields its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def web_server(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def sends(*chunks: bytes, then: float = 0.0) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        await asyncio.sleep(then)

    return serve


def floods(first: bytes, again: bytes, sent: list[int]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while sum(sent) < 10_000_000_000:
            writer.write(again)
            await writer.drain()
            sent.append(len(again))

    return serve


def resolver(*answers: Iterable[str]) -> Callable[[str], Awaitable[Iterable[str]]]:
    """Answers the first look-up with the first answer, and so on, over and over."""
    asked = 0

    async def resolve(_host: str) -> Iterable[str]:
        nonlocal asked
        asked += 1
        return answers[(asked - 1) % len(answers)]

    return resolve


# --- an ordinary exchange


async def test_a_call_carries_our_name_and_no_wish_for_compression(door: Door) -> None:
    async def handler(request: web.Request) -> web.Response:
        seen.update(request.headers)
        seen["body"] = await request.text()
        return web.Response(status=201, text="thanks", headers={"X-Queue-Id": "7", "Set-Cookie": "a=b"})

    seen: dict[str, str] = {}
    async with web_server(handler) as port:
        reply = await door.request("POST", f"http://127.0.0.1:{port}/x", headers={"X-A": "1"}, body=b"hello")
        assert (reply.status, reply.body, reply.cut) == (201, b"thanks", False)
        assert reply.headers["x-queue-id"] == "7"
        assert seen["User-Agent"] == f"Tocsin/{__version__}"
        assert seen["X-A"] == "1"
        assert seen["body"] == "hello"
        assert "Accept-Encoding" not in seen
        await door.request("POST", f"http://127.0.0.1:{port}/x")
        assert "Cookie" not in seen


async def test_a_proxy_of_the_environment_is_not_asked(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with raw_server(sends(b"HTTP/1.1 204 No Content\r\n\r\n")) as port:
        assert (await door.request("GET", f"http://127.0.0.1:{port}/")).status == 204


# --- addresses


async def test_nothing_inside_is_reached_without_leave() -> None:
    reached: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    async with web_server(handler) as port, Door() as door:
        for url in (f"http://127.0.0.1:{port}/", "http://127.0.0.1/", "http://[::1]/", "http://localhost/"):
            with pytest.raises(Blocked):
                await door.request("GET", url)
        with pytest.raises(Blocked):
            await door.connect("127.0.0.1", 25)
    assert not reached


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["::1"],
        ["169.254.169.254"],
        ["8.8.8.8", "10.0.0.1"],
        ["10.0.0.1", "8.8.8.8"],
        ["2606:4700::1111", "fe80::1%2"],
        ["8.8.8.8", "::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        [*[f"8.8.8.{n}" for n in range(20)], "127.0.0.1"],
    ],
)
async def test_one_inner_address_among_the_answers_refuses_the_name(answer: list[str]) -> None:
    async with Door(resolve=resolver(answer)) as door:
        for call in (
            door.check("https://lvh.me/"),
            door.request("GET", "https://127.0.0.1.nip.io/"),
            door.connect("mail.example.com", 587),
        ):
            with pytest.raises(Blocked) as refused:
                await call
            assert refused.value.code == "address_not_allowed"
            assert not any(address in refused.value.detail for address in answer)


async def test_an_answer_that_changes_between_two_looks_never_reaches_the_inside() -> None:
    """Rebinding: the name is public when it is saved and inner when it is called, and back again."""
    reached: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response()

    async with web_server(handler), Door(resolve=resolver(["192.0.3.1"], ["127.0.0.1"])) as door:
        for _ in range(500):
            await door.check("http://rebind.example.com/")
            with pytest.raises(Blocked):
                await door.request("GET", "http://rebind.example.com/", timeout=1)
    assert not reached


async def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    """The resolver is asked once for each connection; a second answer is of no use to anybody."""
    asked: list[str] = []

    async def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with (
        raw_server(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")) as port,
        Door(allowed=LOOPBACK, resolve=resolve) as door,
    ):
        for _ in range(3):
            assert (await door.request("GET", f"http://hook.example.com:{port}/")).status == 200
    assert asked == ["hook.example.com"] * 3


async def test_a_name_that_leaves_the_allowed_networks_loses_its_unusual_port() -> None:
    async with Door(allowed=LOOPBACK, resolve=resolver(["127.0.0.1", "8.8.8.8"])) as door:
        with pytest.raises(Blocked) as refused:
            await door.check("http://hook.example.com:9999/")
    assert refused.value.code == "port_not_allowed"


async def test_the_last_look_is_at_the_number_the_socket_goes_to() -> None:
    """Also a caller that went around the first two looks gets no socket."""
    async with raw_server(sends(b"HTTP/1.1 200 OK\r\n\r\n")) as port, Door() as door:
        with pytest.raises(Blocked):
            await door._session.get(f"http://127.0.0.1:{port}/")


async def test_a_name_that_does_not_resolve_is_unreachable_and_may_be_saved() -> None:
    async def resolve(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with Door(resolve=resolve) as door:
        assert (await door.check("https://nowhere.example.com/")).host == "nowhere.example.com"
        with pytest.raises(Unreachable) as failure:
            await door.request("GET", "https://nowhere.example.com/")
        assert failure.value.kind == "dns"


async def test_a_name_server_that_hangs_is_given_two_seconds() -> None:
    async def resolve(host: str) -> list[str]:
        await asyncio.sleep(60)
        return []

    async with Door(resolve=resolve) as door:
        with pytest.raises(Unreachable) as failure:
            await door.request("GET", "https://slow.example.com/")
    assert failure.value.kind == "dns"


async def test_the_system_is_asked_when_no_other_resolver_is_given(door: Door) -> None:
    assert "127.0.0.1" in [str(address) for address in await door.judged("localhost", 80)]


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_reply_and_not_followed(door: Door, status: int) -> None:
    calls = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=status, headers={"Location": request.path})

    async with web_server(handler) as port:
        assert (await door.request("POST", f"http://127.0.0.1:{port}/loop")).status == status
    assert calls == 1


# --- hostile servers


async def test_ten_gigabytes_are_cut_at_64_kib(door: Door) -> None:
    sent: list[int] = []
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"
    async with raw_server(floods(head, b"x" * 65_536, sent)) as port:
        reply = await door.request("GET", f"http://127.0.0.1:{port}/")
    assert reply.status == 200
    assert reply.cut
    assert len(reply.body) == MAX_BODY
    assert sum(sent) < 50_000_000  # what the buffers of two sockets hold, not ten gigabytes


@pytest.mark.parametrize(("size", "cut"), [(MAX_BODY - 1, False), (MAX_BODY, False), (MAX_BODY + 1, True)])
async def test_the_body_is_cut_exactly_at_its_limit(door: Door, size: int, cut: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    async with raw_server(sends(head, b"x" * size)) as port:
        reply = await door.request("GET", f"http://127.0.0.1:{port}/")
    assert (len(reply.body), reply.cut) == (min(size, MAX_BODY), cut)


async def test_a_compressed_bomb_stays_compressed(door: Door) -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with raw_server(sends(head, bomb)) as port:
        reply = await door.request("GET", f"http://127.0.0.1:{port}/")
    assert reply.body == bomb[:MAX_BODY]


@pytest.mark.parametrize(
    "endless",
    [b"X-A: b\r\n" * 1_000, b"x" * 10_000],
    ids=["many headers", "one long header"],
)
async def test_headers_without_end_are_refused(door: Door, endless: bytes) -> None:
    sent: list[int] = []
    async with raw_server(floods(b"HTTP/1.1 200 OK\r\n", endless, sent)) as port:
        with pytest.raises(Unreachable) as failure:
            await door.request("GET", f"http://127.0.0.1:{port}/")
    assert failure.value.kind == "protocol"


async def test_a_flood_of_interim_answers_ends_with_the_time(door: Door) -> None:
    async with raw_server(floods(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 50, [])) as port:
        with pytest.raises(Unreachable) as failure:
            await door.request("GET", f"http://127.0.0.1:{port}/", timeout=1)
    assert failure.value.kind == "timeout"


async def test_a_body_that_trickles_is_cut_when_the_time_is_over(door: Door) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1_000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_server(serve) as port:
        started = time.monotonic()
        reply = await door.request("GET", f"http://127.0.0.1:{port}/", timeout=1)
    assert (reply.status, reply.cut) == (200, True)
    assert 0 < len(reply.body) < 1_000
    assert time.monotonic() - started < 10


async def test_silence_after_the_request_is_a_timeout(door: Door) -> None:
    async with raw_server(sends(then=30)) as port:
        with pytest.raises(Unreachable) as failure:
            await door.request("POST", f"http://127.0.0.1:{port}/", timeout=1)
    assert failure.value.kind == "timeout"


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"\0\0\0\0"],
    ids=["nothing", "another protocol", "half a body", "garbage"],
)
async def test_what_is_not_a_whole_answer_is_a_failure_of_the_protocol(door: Door, answer: bytes) -> None:
    async with raw_server(sends(answer)) as port:
        with pytest.raises(Unreachable) as failure:
            await door.request("POST", f"http://127.0.0.1:{port}/")
    assert failure.value.kind == "protocol"


async def test_a_closed_port_is_a_failure_to_connect(door: Door) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(Unreachable) as failure:
            await door.request("GET", f"http://127.0.0.1:{port}/")
        assert failure.value.kind == "connect"
        with pytest.raises(Unreachable) as failure:
            await door.connect("127.0.0.1", port)
        assert failure.value.kind == "connect"


async def test_a_socket_for_another_protocol_is_connected(door: Door) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await writer.drain()

    async with raw_server(serve) as port:
        sock = await door.connect("127.0.0.1", port)
        reader, writer = await asyncio.open_connection(sock=sock)
        writer.write(b"HELO\r\n\r\n")
        assert await reader.readline() == b"220 hello\r\n"
        writer.close()


# --- certificates


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_trusted_certificate_of_the_right_name_is_accepted(authority: trustme.CA) -> None:
    context = server_tls(authority.issue_cert("hook.example.com"))
    async with (
        raw_server(sends(OK), context) as port,
        Door(allowed=LOOPBACK, tls=trusting(authority), resolve=resolver(["127.0.0.1"])) as door,
    ):
        assert (await door.request("GET", f"https://hook.example.com:{port}/")).body == b"ok"


async def fails_with_tls(authority: trustme.CA, context: ssl.SSLContext) -> str:
    async with (
        raw_server(sends(OK), context) as port,
        Door(allowed=LOOPBACK, tls=trusting(authority), resolve=resolver(["127.0.0.1"])) as door,
    ):
        with pytest.raises(Unreachable) as failure:
            await door.request("POST", f"https://hook.example.com:{port}/")
    assert failure.value.kind == "tls"
    return failure.value.reason


async def test_a_certificate_of_another_name_is_refused(authority: trustme.CA) -> None:
    reason = await fails_with_tls(authority, server_tls(authority.issue_cert("other.example.com")))
    assert "certificate" in reason


async def test_a_certificate_nobody_vouches_for_is_refused(authority: trustme.CA) -> None:
    await fails_with_tls(authority, server_tls(trustme.CA().issue_cert("hook.example.com")))


async def test_an_expired_certificate_is_refused(authority: trustme.CA) -> None:
    expired = authority.issue_cert("hook.example.com", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    assert "expired" in await fails_with_tls(authority, server_tls(expired))


async def test_an_outdated_tls_version_is_refused(authority: trustme.CA) -> None:
    context = server_tls(authority.issue_cert("hook.example.com"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    await fails_with_tls(authority, context)


async def test_a_plain_server_behind_an_https_address_is_refused(door: Door) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "127.0.0.1", 0
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable) as failure:
            await door.request("GET", f"https://127.0.0.1:{port}/")
    assert failure.value.kind == "tls"


async def test_a_closed_door_lets_nothing_out() -> None:
    door = Door(allowed=LOOPBACK)
    await door.close()
    with pytest.raises(RuntimeError, match="closed"):
        await door.request("GET", "http://127.0.0.1:1/")


async def test_a_server_that_never_answers_the_handshake_is_a_failure_in_time(door: Door) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        with pytest.raises(Unreachable) as failure:
            await door.request("GET", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout=1)
    assert failure.value.kind == "timeout"


# --- the installation itself


@pytest.mark.parametrize(
    "url",
    [
        "https://alerts.example.com/api/v1/events",
        "https://ALERTS.example.com.:443/",
        "http://127.0.0.1:8700/",
        "http://127.1:8700/",
        "http://[::ffff:127.0.0.1]:8700/",
    ],
)
async def test_the_installation_is_no_target_of_its_own_however_it_is_written(url: str) -> None:
    """A notification that came back as an event would go round forever (bad input 69)."""
    own = ["https://alerts.example.com", "http://127.0.0.1:8700"]
    async with Door(allowed=LOOPBACK, own=own, resolve=resolver(["8.8.8.8"])) as door:
        for call in (door.check(url), door.request("POST", url)):
            with pytest.raises(Blocked) as refused:
                await call
            assert refused.value.code == "address_not_allowed"


@pytest.mark.parametrize("host", ["tocsin.example.com", "acme.tocsin.example.com", "ACME.tocsin.example.com."])
async def test_no_project_is_a_target_by_its_name_below_the_installations(host: str) -> None:
    """There it takes events as well, whatever the name's addresses are (bad input 69)."""
    async with Door(own_domain="tocsin.example.com", resolve=resolver(["8.8.8.8"])) as door:
        for call in (door.check(f"https://{host}/"), door.request("POST", f"https://{host}/api/v1/events")):
            with pytest.raises(Blocked) as refused:
                await call
            assert refused.value.code == "address_not_allowed"
        assert (await door.check("https://nottocsin.example.com/")).port == 443


async def test_another_port_of_the_same_machine_is_another_target() -> None:
    async with (
        raw_server(sends(b"HTTP/1.1 204 No Content\r\n\r\n")) as port,
        Door(allowed=LOOPBACK, own=["http://127.0.0.1:8700"]) as door,
    ):
        assert (await door.request("GET", f"http://127.0.0.1:{port}/")).status == 204


async def test_a_name_that_means_the_installation_is_no_target() -> None:
    async with Door(allowed=LOOPBACK, own=["http://127.0.0.1:8700"], resolve=resolver(["127.0.0.1"])) as door:
        with pytest.raises(Blocked):
            await door.request("POST", "http://alias.example.com:8700/")


async def test_an_address_that_our_calls_come_from_is_no_target_either() -> None:
    """A name of somebody's own may point at us."""
    own_networks = [ip_network("8.8.4.0/24")]
    async with Door(own_networks=own_networks, resolve=resolver(["8.8.8.8", "8.8.4.4"])) as door:
        for call in (
            door.check("https://alias.example.com/"),
            door.request("GET", "http://8.8.4.4/"),
            door.connect("mail.example.com", 587),
        ):
            with pytest.raises(Blocked):
                await call
    async with Door(own_networks=own_networks, allowed=own_networks, resolve=resolver(["8.8.4.4"])) as door:
        assert (await door.check("https://alias.example.com/")).host == "alias.example.com"
