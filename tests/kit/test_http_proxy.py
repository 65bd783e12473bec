"""All calls through the operator's proxy, which others wrote (H3)."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from tests.engines import free_port
from tests.kit.test_http_door import OK, raw_server, sends, server_tls, trusting
from tests.node import find_node, installed_packages
from tocsin.kit.http import Blocked, Door, Unreachable
from tocsin.settings import Settings

SCRIPT = Path(__file__).parent / "proxy"
LOGIN = "operator:p%40ss"
LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass
class Proxy:
    """``seen`` is every request it took: host, port, and whether it was a tunnel."""

    port: int
    seen: list[dict[str, Any]] = field(default_factory=list)

    def url(self, login: str = LOGIN) -> str:
        return f"http://{login}@127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
async def proxy() -> AsyncIterator[Proxy]:
    """``proxy-chain`` in Node; it leads every name to loopback."""
    node = find_node(20)
    packages = await asyncio.to_thread(installed_packages, SCRIPT, node)
    process = await asyncio.create_subprocess_exec(
        *(node.node, str(SCRIPT / "proxy.js"), str(packages), "operator:p@ss"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    async with asyncio.timeout(60):
        started = json.loads(await process.stdout.readline())
    running = Proxy(started["listening"])

    async def listen(told: asyncio.StreamReader) -> None:
        while line := await told.readline():
            running.seen.append(json.loads(line))

    listening = asyncio.create_task(listen(process.stdout))
    try:
        yield running
    finally:
        process.kill()
        await process.wait()
        await listening


@pytest.fixture
async def door(proxy: Proxy) -> AsyncIterator[Door]:
    async with Door(allowed=LOOPBACK, proxy=proxy.url()) as door:
        yield door


async def seen(proxy: Proxy, host: str) -> dict[str, Any]:
    """What the proxy took for a host."""
    async with asyncio.timeout(10):
        while True:
            for request in proxy.seen:
                if request["host"] == host:
                    return request
            await asyncio.sleep(0.01)


async def test_a_plain_call_goes_through_the_proxy(proxy: Proxy, door: Door) -> None:
    async with raw_server(sends(OK)) as port:
        reply = await door.request("GET", f"http://127.0.0.1:{port}/")
    assert (reply.status, reply.body) == (200, b"ok")
    assert not (await seen(proxy, "127.0.0.1"))["tunnel"]


async def test_an_encrypted_call_is_tunnelled_and_its_certificate_is_checked_here(proxy: Proxy) -> None:
    authority = trustme.CA()
    tls = server_tls(authority.issue_cert("127.0.0.1"))
    async with raw_server(sends(OK), tls=tls) as port:
        async with Door(allowed=LOOPBACK, proxy=proxy.url(), tls=trusting(authority)) as door:
            assert (await door.request("GET", f"https://127.0.0.1:{port}/")).body == b"ok"
        async with Door(allowed=LOOPBACK, proxy=proxy.url(), tls=ssl.create_default_context()) as door:
            with pytest.raises(Unreachable) as failure:
                await door.request("GET", f"https://127.0.0.1:{port}/")
    assert failure.value.kind == "tls"
    assert any(request["tunnel"] and request["port"] == port for request in proxy.seen)


async def test_the_proxy_resolves_names_and_we_do_not(proxy: Proxy) -> None:
    async def resolve(host: str) -> list[str]:
        raise AssertionError(host)

    async with Door(proxy=proxy.url(), resolve=resolve) as door:
        # Nobody listens there: what counts is that the proxy was asked by name.
        with contextlib.suppress(Unreachable):
            await door.request("GET", "http://only-the-proxy-knows.example.com:8443/", timeout=5)
    assert (await seen(proxy, "only-the-proxy-knows.example.com"))["port"] == 8443


async def test_mail_leaves_through_the_proxy_too(proxy: Proxy, door: Door) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n" + await reader.readline())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        sock = await door.connect("127.0.0.1", port)
        reader, writer = await asyncio.open_connection(sock=sock)
        writer.write(b"EHLO\r\n")
        assert await reader.read() == b"220 hello\r\nEHLO\r\n"
        writer.close()
    assert any(request["tunnel"] and request["port"] == port for request in proxy.seen)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://[::1]/", "http://x.localhost/", "http://printer/"])
async def test_what_is_plainly_inside_is_refused_before_the_proxy_is_asked(proxy: Proxy, url: str) -> None:
    before = len(proxy.seen)
    async with Door(proxy=proxy.url()) as door:
        for call in (door.check(url), door.request("GET", url)):
            with pytest.raises(Blocked):
                await call
        with pytest.raises(Blocked):
            await door.connect("10.0.0.1", 25)
    assert len(proxy.seen) == before


async def test_a_name_gets_no_unusual_port_through_a_proxy(proxy: Proxy, door: Door) -> None:
    """Only an address can prove that it lies in an opened network, and a name's is not known here."""
    with pytest.raises(Blocked) as refused:
        await door.request("GET", "http://hook.example.com:6379/")
    assert refused.value.code == "port_not_allowed"


async def test_a_proxy_that_refuses_or_is_away_is_unreachable(proxy: Proxy) -> None:
    for url in (proxy.url("stranger:wrong"), f"http://127.0.0.1:{free_port()}"):
        async with Door(proxy=url) as door:
            for call in (
                door.request("GET", "https://example.com/", timeout=5),
                door.connect("mail.example.com", 587),
            ):
                with pytest.raises(Unreachable) as failure:
                    await call
                assert failure.value.kind == "connect"
                assert "proxy" in failure.value.reason


async def test_what_is_no_proxy_is_unreachable() -> None:
    async with (
        raw_server(sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")) as port,
        Door(proxy=f"http://127.0.0.1:{port}") as door,
    ):
        with pytest.raises(Unreachable):
            await door.connect("mail.example.com", 587)


@pytest.mark.parametrize(
    "wrong", ["proxy:3128", "https://proxy:3128", "socks5://proxy", "http://proxy/path", "http://"]
)
def test_what_is_no_address_of_a_proxy_is_refused_at_the_start(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTGOING_PROXY", wrong)
    with pytest.raises(ValidationError):
        Settings()


def test_no_proxy_is_set_unless_the_operator_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().outgoing_proxy is None
    monkeypatch.setenv("TOCSIN_OUTGOING_PROXY", "")
    assert Settings().outgoing_proxy is None
