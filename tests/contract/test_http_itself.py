"""Requests that are wrong before any endpoint is asked (bad inputs 1 to 4 and 19 to 24), over bare sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.client import Client, Project
from tests.contract.conftest import Refused
from tests.contract.endpoints import ALL, NOBODY, Operation
from tests.contract.problem import check_problem
from tocsin.auth.body import MAX_BODY_BYTES
from tocsin.wire import BODY_SECONDS, HEAD_SECONDS

pytestmark = pytest.mark.usefixtures("nothing_stored")

MIB = 1024 * 1024


@dataclass
class Wire:
    """One connection to the API, byte by byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, seconds: float = 5) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(seconds):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")[:-2]
            headers = {name.title(): value for name, value in (line.split(": ", 1) for line in lines)}
            return int(first.split()[1]), headers, await self.reader.readexactly(int(headers["Content-Length"]))

    async def refused(self, expected: set[int], seconds: float = 5) -> str:
        """The code of the problem that the next answer must be."""
        status, headers, raw = await self.answer(seconds)
        body = json.loads(raw)
        check_problem(status, headers, body, raw.decode(), expected)
        return str(body["code"])

    async def closed(self, seconds: float = 10) -> bool:
        """Whether the other side hangs up within the time, whatever it sends before."""
        try:
            async with asyncio.timeout(seconds):
                while await self.reader.read(65_536):
                    pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def connected(api: Client) -> AsyncIterator[Wire]:
    where = urlsplit(api.base)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    yield Wire(reader, writer)
    writer.close()


@pytest.fixture
async def wire(api: Client) -> AsyncIterator[Wire]:
    async with connected(api) as one:
        yield one


def head(acme: Project, *lines: str, method: str = "POST", path: str = "/api/v1/users", host: str = "api") -> bytes:
    key = [f"{name}: {value}" for name, value in acme.key.headers.items()]
    hosts = [f"Host: {host}"] if host else []
    return "\r\n".join([f"{method} {path} HTTP/1.1", *hosts, *key, *lines, "", ""]).encode("latin-1")


JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: -1",),
        ("Content-Length: +2",),
        ("Content-Length: 2, 2",),
        ("Content-Length: 0x2",),
        ("Content-Length: 99999999999999999999999",),
        ("Content-Length: 2", "Content-Length: 2"),
        ("Content-Length: 2", "Content-Length: 3"),
        ("Content-Length: 2", CHUNKED),
        (CHUNKED, "Content-Length: 2"),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding : chunked",),
        (CHUNKED, CHUNKED),
        (" Folded: yes",),
        ("No colon at all",),
        ("Nul: a\0b",),
        ("Bare\nLine: feed",),
        ("Bad name: a",),
    ],
    ids=lambda lines: " + ".join(lines),
)
async def test_a_head_that_two_servers_could_read_differently_is_refused(
    acme: Project, wire: Wire, lines: tuple[str, ...]
) -> None:
    await wire.send(head(acme, JSON, *lines) + b"2\r\n{}\r\n0\r\n\r\n")
    await wire.refused({400})
    assert await wire.closed()


@pytest.mark.parametrize(
    "line",
    [
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"get /health/live HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0" * 100,
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"SSTP_DUPLEX_POST / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused(wire: Wire, line: bytes) -> None:
    await wire.send(line)
    await wire.refused({400})
    assert await wire.closed()


async def test_one_byte_too_much_is_refused_before_it_is_sent(acme: Project, wire: Wire) -> None:
    await wire.send(head(acme, JSON, f"Content-Length: {MAX_BODY_BYTES + 1}"))
    assert await wire.refused({413}) == "body_too_large"


async def test_an_endless_body_is_refused_at_the_limit(acme: Project, wire: Wire) -> None:
    chunk = b"%x\r\n%b\r\n" % (MIB, b" " * MIB)
    await wire.send(head(acme, JSON, CHUNKED))
    for _ in range(MAX_BODY_BYTES // MIB + 1):
        await wire.send(chunk)
    assert await wire.refused({413}) == "body_too_large"
    with pytest.raises(ConnectionError):
        for _ in range(200):
            await wire.send(chunk)
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/events/batch"])
async def test_an_endless_body_of_events_is_refused(acme: Project, wire: Wire, path: str) -> None:
    await wire.send(head(acme, JSON, CHUNKED, path=path))
    for _ in range(6):
        await wire.send(b"%x\r\n%b\r\n" % (MIB, b" " * MIB))
    assert await wire.refused({413}) == "body_too_large"


async def test_a_body_that_ends_early_is_no_request(acme: Project, wire: Wire) -> None:
    await wire.send(head(acme, JSON, "Content-Length: 1000") + b'{"name": "Cut short"}')
    wire.writer.close()
    found = await acme.key.get("/users", search="Cut short")
    assert found.json["items"] == []


async def test_nobody_slow_is_waited_for(acme: Project, api: Client) -> None:
    """All at once, because each has to wait for 15 seconds."""
    body = head(acme, JSON, "Content-Length: 1000")
    event = head(acme, JSON, "Content-Length: 1000", path="/api/v1/events")
    unfinished = b"GET /health/live HTTP/1.1\r\nHost: api\r\nX-Slow: "
    codes = await asyncio.gather(*(_trickled(api, start) for start in (body, event, unfinished)), _silent(api))
    assert codes == ["body_too_slow", "body_too_slow", "head_too_slow", None]


async def _trickled(api: Client, start: bytes) -> str:
    """What becomes of a request that goes on with half a second for each byte."""
    async with connected(api) as wire:
        await wire.send(start)
        answer = asyncio.create_task(wire.refused({408}, max(BODY_SECONDS, HEAD_SECONDS) + 5))
        while not answer.done():
            await wire.send(b" ")
            await asyncio.sleep(0.5)
        return await answer


async def _silent(api: Client) -> None:
    async with connected(api) as wire:
        assert await wire.closed(HEAD_SECONDS + 5)


async def test_an_endless_head_is_refused(wire: Wire) -> None:
    await wire.send(b"GET /health/live HTTP/1.1\r\nHost: api\r\nX-Long: ")
    await wire.send(b"a" * 70_000)
    assert await wire.refused({431}) == "headers_too_large"
    assert await wire.closed()


async def test_a_second_request_on_a_connection_has_the_same_bounds(wire: Wire) -> None:
    await wire.send(b"GET /health/live HTTP/1.1\r\nHost: api\r\n\r\n")
    status, _, _ = await wire.answer()
    assert status == 200
    await wire.send(b"GET /" + b"a" * 70_000)
    assert await wire.refused({431}) == "headers_too_large"


async def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    one = b"GET /health/live HTTP/1.1\r\nHost: api\r\n\r\n"
    await wire.send(one + one.replace(b"live", b"nowhere") + one)
    assert [(await wire.answer())[0] for _ in range(3)] == [200, 404, 200]


async def test_a_long_header_is_refused(acme: Project, wire: Wire) -> None:
    await wire.send(head(acme, "X-Long: " + "a" * 9_000, method="GET"))
    assert await wire.refused({431}) == "headers_too_large"


async def test_two_hundred_headers_are_refused(acme: Project, wire: Wire) -> None:
    await wire.send(head(acme, *(f"X-{n}: a" for n in range(200)), method="GET"))
    assert await wire.refused({431}) == "headers_too_large"


@pytest.mark.parametrize(
    "host",
    ["", "a\r\nHost: b", "victim.com@evil", "a/b", "a b", "a?b", "a#b", "a:b:c", "a:123456", "[::1", "%61", "ä", "a,b"],
)
async def test_a_host_that_is_none_is_refused(acme: Project, wire: Wire, host: str) -> None:
    await wire.send(head(acme, method="GET", host=host))
    assert await wire.refused({400}) == "invalid_host"


@pytest.mark.parametrize(
    "line",
    [
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-For: 203.0.113.9",
        "Forwarded: host=evil.example",
        "X-Original-URL: /api/v1/roles",
        "X-Rewrite-URL: /api/v1/roles",
        "X-HTTP-Method-Override: DELETE",
        "X-Host: evil.example",
    ],
)
async def test_headers_that_would_change_the_request_are_not_looked_at(acme: Project, wire: Wire, line: str) -> None:
    await wire.send(head(acme, line, method="GET", path="/api/v1/projects/me", host="evil.example"))
    status, headers, raw = await wire.answer()
    assert status == 200
    assert json.loads(raw)["id"] == acme.id
    assert "evil" not in str(headers) and b"evil" not in raw


PATHS = [
    "/api/v1/%2e%2e/%2e%2e/etc/passwd",
    "/api/v1/../../etc/passwd",
    "/api/v1//users",
    "//api/v1/users",
    "/api/v1/users/",
    "/api/v1/users;a",
    "/api/v1/users;a=b/" + NOBODY,
    "/api/v1/users/%00",
    "/api/v1/users/" + NOBODY + "%00",
    "/api/v1/users%2f" + NOBODY,
    "/api/v1/users/%252e%252e%252f",
    "/api/v1/users/%c0%ae",
    "/api/v1/users/%ff",
    "/api/v1/users/%zz",
    "/API/V1/users",
    "/api/v1/users/..%5c..%5c",
    "/docs/assets/..%2f..%2f..%2fetc/passwd",
    "/docs/assets/%2e%2e/%2e%2e/pyproject.toml",
    "/docs/assets/",
    "/.env",
    "/.git/config",
]


@pytest.mark.parametrize("path", PATHS)
async def test_a_path_that_leads_nowhere_is_absent(acme: Project, wire: Wire, path: str) -> None:
    await wire.send(head(acme, method="GET", path=path))
    await wire.refused({404})


async def test_ten_thousand_parameters_are_refused(acme: Project, wire: Wire) -> None:
    query = "&".join(f"a{n}=b" for n in range(4_000))
    await wire.send(head(acme, method="GET", path=f"/api/v1/users?{query}"))
    assert await wire.refused({400}) == "query_too_long"


@pytest.mark.parametrize("query", ["a;b", "limit=1;cursor=a", "limit=1&limit=2", "limit[]=1", "limit%00=1", "nonsense"])
async def test_a_query_that_is_not_understood_is_refused(acme: Project, wire: Wire, query: str) -> None:
    await wire.send(head(acme, method="GET", path=f"/api/v1/users?{query}"))
    await wire.refused({422})


async def test_ten_thousand_ranges_of_a_file_cost_nothing(acme: Project, wire: Wire) -> None:
    ranges = "Range: bytes=" + ",".join(["0-0"] * 2_000)
    await wire.send(head(acme, ranges, method="GET", path="/docs/assets/swagger-ui.css"))
    status, headers, _ = await wire.answer()
    assert status in (200, 206, 400, 416)
    assert int(headers["Content-Length"]) < MIB


async def test_a_missing_content_type_is_refused(acme: Project, wire: Wire) -> None:
    await wire.send(head(acme, "Content-Length: 2") + b"{}")
    assert await wire.refused({415}) == "unsupported_media_type"


async def test_two_idempotency_keys_are_refused(acme: Project, wire: Wire) -> None:
    for path in ("/api/v1/users", "/api/v1/events"):
        keys = ("Idempotency-Key: a", "Idempotency-Key: b")
        await wire.send(head(acme, JSON, *keys, "Content-Length: 2", path=path) + b"{}")
        assert await wire.refused({400}) == "invalid_idempotency_key"


@pytest.mark.parametrize("operation", ALL, ids=str)
async def test_a_method_that_is_not_taken_is_named_with_those_that_are(refused: Refused, operation: Operation) -> None:
    taken = {other.method for other in ALL if other.template == operation.template}
    for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"} - taken):
        reply = await refused.by(Operation(method, operation.template, operation.described), {405})
        assert set(reply.headers["Allow"].split(", ")) == taken


@pytest.mark.parametrize("accepted", ["image/png", "text/html", "application/xml;q=0.9", "*/*;q=0", "nonsense"])
async def test_a_problem_is_a_problem_whatever_was_wanted(refused: Refused, accepted: str) -> None:
    await refused.send(refused.project.key, "GET", f"/users/{NOBODY}", {404}, Accept=accepted)
    await refused.send(refused.project.key, "POST", "/events", {422}, {}, Accept=accepted)
