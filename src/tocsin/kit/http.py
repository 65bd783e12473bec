"""The one door out: every call to a host that a tenant can set goes through here.

A target is refused twice. ``parse_target`` judges the text when it is saved; the connection judges numbers
when it is made: the name is resolved, every address of the answer must be public (or the operator's own
choice), and the socket goes to one of the judged addresses, so an answer that changes in between is of no
use. Redirects are not followed, proxies of the environment not asked, cookies not kept, bodies cut.
"""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import TracebackType
from typing import Literal, NamedTuple, Self

import aiohttp
import idna
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from tocsin import __version__
from tocsin.kit import hops
from tocsin.kit.addresses import Address, Network, lies_in, refusal, unwrapped
from tocsin.kit.hostnames import lies_under
from tocsin.kit.http2 import Broken, Http2Pool, Untrusted
from tocsin.kit.proxy import ProxyFailed, tunnel

HTTP_PORTS = frozenset({80, 443, 8443})
SMTP_PORTS = frozenset({25, 465, 587, 2525})

MAX_URL = 2_048
MAX_BODY = 65_536

RESOLVE_SECONDS = 2.0
CONNECT_SECONDS = 3.0
TLS_SECONDS = 5.0
TOTAL_SECONDS = 15.0

_POOL = 1_024
"""Connections to the outside at most: no fewer than calls at a time and accounts that are asked for news together."""
# Shorter than the idle timeout of the usual servers (Node and uvicorn 5 s), since a POST that meets a
# connection being closed has to be counted as a failure.
_KEEP_ALIVE_SECONDS = 4.0
_MAX_ADDRESSES = 8
# A thread stays with a lookup that hangs for as long as the system's resolver tries; apart from the default
# executor, so that a dead name server delays lookups only.
_RESOLVER_THREADS = 128

BlockedCode = Literal["url_invalid", "port_not_allowed", "address_not_allowed"]

Resolve = Callable[[str], Awaitable[Iterable[str]]]
"""From a host name to all its addresses, A and AAAA, as text. Raises OSError."""


class Blocked(Exception):
    """The target is not allowed, now or later. ``code`` is the stable code of a field error (422)."""

    def __init__(self, code: Literal["url_invalid", "port_not_allowed", "address_not_allowed"], detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Unreachable(Exception):
    """No whole answer this time: ``kind`` says how far the call came."""

    def __init__(self, kind: Literal["dns", "connect", "tls", "timeout", "protocol"], reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL: lower-case ASCII host or canonical address, explicit port, path and query as given."""

    scheme: str
    host: str
    port: int
    rest: str

    @property
    def url(self) -> str:
        """The URL that names this target and nothing else, whoever parses it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = {"http": 80, "https": 443}[self.scheme]
        return f"{self.scheme}://{host}{'' if self.port == default else f':{self.port}'}{self.rest}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. Header names are lower case; ``cut`` tells that there was more body than we took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool
    duration_ms: int

    def text(self, limit: int) -> str:
        """The first ``limit`` bytes of the body, readable whatever they are."""
        return self.body[:limit].decode("utf-8", "replace").replace("\0", "\ufffd")


def parse_target(url: str, *, allowed: Collection[Network] = (), ports: Collection[int] = HTTP_PORTS) -> Target:
    """Judge the text of a URL, without asking the network. Raises Blocked.

    Only http and https, no user name, no blanks, control characters or backslashes. Other ports than
    ``ports`` only towards the operator's ``allowed`` networks, which a name proves when it is resolved.
    """
    if len(url) > MAX_URL:
        raise Blocked("url_invalid", f"A URL has at most {MAX_URL:,} characters.")
    if any(not char.isprintable() or char.isspace() or char == "\\" for char in url):
        raise Blocked("url_invalid", "A URL has no blanks, control characters or backslashes.")
    parts = _URL.fullmatch(url)
    scheme = parts["scheme"].lower() if parts else ""
    if parts is None or scheme not in ("http", "https"):
        raise Blocked("url_invalid", "A URL begins with https:// or http://.")
    if "@" in parts["authority"]:
        raise Blocked("url_invalid", "A URL carries no user name or password.")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise Blocked("url_invalid", "The host of the URL is not valid.")
    host = parse_host(authority["host"], allowed=allowed)
    port = int(authority["port"] or (443 if scheme == "https" else 80))
    check_port(host, port, allowed=allowed, ports=ports)
    rest = parts["rest"]
    return Target(scheme, host, port, rest if rest.startswith("/") else f"/{rest}")


_URL = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?:#.*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]+\]|[^\[\]:]+)(?::(?P<port>[0-9]{0,5}))?")


def parse_host(text: str, *, allowed: Collection[Network] = ()) -> str:
    """The host as it will be connected to: a name in lower-case ASCII, or an address in its one usual form.

    Every notation of an address that some parser accepts (127.1, 0x7f000001, ①②⑦.0.0.1) is read as that
    address. Raises Blocked for an address that is not allowed and for names that mean the inside.
    """
    if text.startswith("[") and text.endswith("]"):
        return str(_allowed(_ipv6(text[1:-1]), allowed))
    host = _ascii(text).lower().removesuffix(".")
    if _NUMERIC.fullmatch(host.rpartition(".")[2]):
        return str(_allowed(_ipv4(host), allowed))
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise Blocked("url_invalid", "The host is not a valid name.")
    _check_name(host, allowed)
    return host


_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise Blocked("url_invalid", "The host is not a valid name.") from None


def _ipv6(text: str) -> IPv6Address:
    try:
        if "%" in text:
            raise ValueError(text)
        return IPv6Address(text)
    except ValueError:
        raise Blocked("url_invalid", "The host is not a valid address.") from None


def _ipv4(host: str) -> IPv4Address:
    """An IPv4 address in any notation of the WHATWG URL standard (section 3.5, "IPv4 parser")."""
    try:
        *firsts, last = [_ipv4_number(part) for part in host.split(".")]
    except ValueError:
        raise Blocked("url_invalid", "The host is not a valid address.") from None
    if len(firsts) > 3 or any(part > 255 for part in firsts) or last >= 256 ** (4 - len(firsts)):
        raise Blocked("url_invalid", "The host is not a valid address.")
    return IPv4Address(sum(part << 8 * (3 - place) for place, part in enumerate(firsts)) + last)


def _ipv4_number(part: str) -> int:
    if not _NUMERIC.fullmatch(part):
        raise ValueError(part)
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") else 10)


def _allowed(address: Address, allowed: Collection[Network]) -> Address:
    if what := refusal(address, allowed):
        raise Blocked("address_not_allowed", f"The address is not a public one ({what}).")
    return address


# Names that only mean something inside: RFC 6761, RFC 6762, RFC 8375, RFC 9476, the metadata services, and
# all names without a dot, which the search list of the machine would complete.
_INSIDE = (
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "lan",
    "home.arpa",
    "alt",
    "onion",
)


def _check_name(host: str, allowed: Collection[Network]) -> None:
    if host == "localhost" or host.endswith(".localhost"):
        inside = not any(network.is_loopback for network in allowed)
    else:
        named = "." not in host or any(host.endswith(f".{suffix}") for suffix in _INSIDE)
        inside = named and not allowed
    if inside:
        raise Blocked("address_not_allowed", "The host is a name of the inside.")


def check_port(host: str, port: int, *, allowed: Collection[Network], ports: Collection[int]) -> None:
    """Raise Blocked for a port that is surely wrong; a name with another port is judged when resolved."""
    if port in ports:
        return
    usual = ", ".join(str(port) for port in sorted(ports))
    refused = Blocked("port_not_allowed", f"The port must be one of {usual}.")
    if not 0 < port < 65_536 or not allowed:
        raise refused
    address = _literal(host)
    if address is not None and not lies_in(address, allowed):
        raise refused


def _literal(host: str) -> Address | None:
    """The address that the host of a target is, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _place(url: str) -> tuple[str, int]:
    """Host and port of a URL of the operator's, in the form in which those of targets are compared with them."""
    target = parse_target(url, allowed=_EVERYWHERE, ports=range(1, 65_536))
    return target.host, target.port


_EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class Bounds(NamedTuple):
    """What a door goes by, for a process of ours that has to judge by itself."""

    allowed: tuple[Network, ...]
    own: frozenset[tuple[str, int]]
    own_networks: tuple[Network, ...]
    own_domain: str | None
    proxy: str | None


class Door:
    """All outgoing connections of one process; made inside its running loop, closed with it.

    ``allowed`` are the networks the operator opened, ``own`` the URLs under which this installation is reached,
    ``own_domain`` what all names below lead to it, and ``own_networks`` its addresses outside: a call to itself would
    be a loop. ``tls`` trusts other authorities than
    the system's, ``resolve`` replaces the system's resolver; what it answers is judged all the same.

    With a ``proxy`` everything leaves through it, and names are its to resolve and to judge: here only their text is.
    """

    def __init__(
        self,
        *,
        allowed: Collection[Network] = (),
        own: Collection[str] = (),
        own_networks: Collection[Network] = (),
        own_domain: str | None = None,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        proxy: str | None = None,
    ) -> None:
        self.allowed = tuple(allowed)
        self._own = frozenset(_place(url) for url in own)
        self._own_networks = tuple(own_networks)
        self._own_domain = own_domain
        self._proxy = URL(proxy) if proxy else None
        self.tls = tls or ssl.create_default_context()
        self.close_too: list[Callable[[], Awaitable[None]]] = []
        """What leads outside by this door and ends with it."""
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="resolve")
        self._resolve = resolve or self._ask_system
        self._http2 = Http2Pool(self.tls)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=None if self._proxy else _JudgingResolver(self),
                use_dns_cache=False,
                socket_factory=None if self._proxy else self._judged_socket,
                ssl=self.tls,
                limit=_POOL,
                keepalive_timeout=_KEEP_ALIVE_SECONDS,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"Tocsin/{__version__}"},
            skip_auto_headers=("Accept-Encoding",),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=MAX_BODY,
            max_line_size=8_190,
            max_field_size=8_190,
            max_headers=100,
        )

    @property
    def bounds(self) -> Bounds:
        proxy = str(self._proxy) if self._proxy else None
        return Bounds(self.allowed, self._own, self._own_networks, self._own_domain, proxy)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; calls under way end as Unreachable, later ones are a mistake of ours."""
        for close in self.close_too:
            await close()
        await self._http2.close()
        await self._session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = TOTAL_SECONDS,
        most: int = MAX_BODY,
    ) -> Reply:
        """One HTTP exchange within ``timeout`` seconds. Raises Blocked or Unreachable.

        Any status is a reply, redirects too. A body that is still coming when the time or ``most`` bytes are over is
        cut, not a failure: its status had been given.
        """
        target = self._target(url)
        if self._proxy:
            await self.judged(target.host, target.port)
        started = time.monotonic()
        limits = aiohttp.ClientTimeout(
            total=timeout,
            sock_connect=CONNECT_SECONDS + (TLS_SECONDS if target.scheme == "https" else 0),
            ceil_threshold=60,
        )
        try:
            async with self._session.request(
                method,
                URL(target.url),
                headers={**(headers or {}), hops.HEADER: hops.passage()},
                data=body,
                allow_redirects=False,
                timeout=limits,
                proxy=self._proxy,
            ) as response:
                content, cut = await _read(response, most)
        except aiohttp.ClientSSLError as error:
            raise Unreachable("tls", _tls_reason(error)) from error
        except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
            words = f"answered {error.status}" if isinstance(error, aiohttp.ClientHttpProxyError) else "does not answer"
            raise Unreachable("connect", f"The outgoing proxy {words}.") from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            if isinstance(error.__cause__, ConnectionResetError | ConnectionAbortedError):
                # Refusing a connection looks otherwise: this one was made, and cut in the handshake.
                raise Unreachable("tls", "The TLS handshake failed.") from error
            raise Unreachable("connect", "The connection was not accepted.") from error
        except TimeoutError as error:
            raise Unreachable("timeout", f"There was no answer within {timeout:g} s.") from error
        except aiohttp.ClientError as error:
            raise Unreachable("protocol", "The connection ended without a valid answer.") from error
        return Reply(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=content,
            cut=cut,
            duration_ms=round((time.monotonic() - started) * 1000),
        )

    async def request_http2(
        self,
        method: str,
        url: str,
        *,
        pool: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float = TOTAL_SECONDS,
    ) -> Reply:
        """The same over HTTP/2. Requests of one ``pool`` share a connection, those of two never do."""
        target = self._target(url)
        if target.scheme != "https":
            raise Blocked("url_invalid", "HTTP/2 is spoken over https alone.")
        place = f"{target.host}:{target.port}"
        started = time.monotonic()
        try:
            async with asyncio.timeout(timeout):
                answer = await self._http2.exchange(
                    f"{pool} {place}",
                    lambda: self.connect(target.host, target.port, ports=HTTP_PORTS),
                    target.host,
                    target.port,
                    method,
                    target.rest,
                    {"user-agent": f"Tocsin/{__version__}", **headers},
                    body,
                )
        except Untrusted as error:
            raise Unreachable("tls", str(error)) from error
        except Broken as error:
            raise Unreachable("protocol", str(error)) from error
        except TimeoutError as error:
            raise Unreachable("timeout", f"There was no answer within {timeout:g} s.") from error
        return Reply(
            status=answer.status,
            headers=answer.headers,
            body=bytes(answer.body),
            cut=answer.cut,
            duration_ms=round((time.monotonic() - started) * 1000),
        )

    async def connect(self, host: str, port: int, *, ports: Collection[int] = SMTP_PORTS) -> socket.socket:
        """A connected, non-blocking socket for another protocol than HTTP, at one of the judged addresses.

        The caller owns and closes it. Raises Blocked or Unreachable.
        """
        loop = asyncio.get_running_loop()
        addresses = await self.judged(host, port, ports=ports)
        if self._proxy:
            try:
                return await tunnel(self._proxy, host, port)
            except ProxyFailed as failure:
                raise Unreachable("connect", str(failure)) from failure
        for address in addresses:
            sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
            sock.setblocking(False)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await loop.sock_connect(sock, (str(address), port))
            except OSError:  # also the timeout
                sock.close()
            except asyncio.CancelledError:
                sock.close()
                raise
            else:
                return sock
        raise Unreachable("connect", "The connection was not accepted.")

    async def check(self, url: str) -> Target:
        """``parse_target`` and one look at what the name means today. Raises Blocked.

        A name that does not resolve passes: it may tomorrow, and is judged again then.
        """
        target = self._target(url)
        with suppress(Unreachable):
            await self.judged(target.host, target.port)
        return target

    def _target(self, url: str) -> Target:
        target = parse_target(url, allowed=self.allowed)
        self._refuse_own_place(target.host, target.port)
        return target

    def _refuse_own_place(self, host: str, port: int) -> None:
        literal = _literal(host)
        below = self._own_domain is not None and literal is None and lies_under(host, self._own_domain)
        if below or (str(unwrapped(literal)) if literal else host, port) in self._own:
            raise Blocked("address_not_allowed", "This is an address of this installation itself.")

    async def judged(self, host: str, port: int, *, ports: Collection[int] = HTTP_PORTS) -> Sequence[Address]:
        """The addresses of a host, all of which may be reached on this port. Raises Blocked or Unreachable.

        One bad address among good ones refuses the host: it is an attempt, not an accident. Behind a proxy a name
        has none here.
        """
        host = parse_host(f"[{host}]" if ":" in host else host, allowed=self.allowed)
        check_port(host, port, allowed=self.allowed, ports=ports)
        self._refuse_own_place(host, port)
        literal = _literal(host)
        addresses = [literal] if literal else await self._addresses(host)
        for address in addresses:
            self._refuse_own_place(str(address), port)
        if any(self._refused(address) for address in addresses):
            # The addresses stay unsaid: they would show a tenant the names of our inside.
            raise Blocked("address_not_allowed", "The host has an address that is not a public one.")
        if port not in ports and not (addresses and all(lies_in(address, self.allowed) for address in addresses)):
            raise Blocked("port_not_allowed", f"Port {port} is not allowed.")
        return addresses[:_MAX_ADDRESSES]

    def _refused(self, address: Address) -> bool:
        if refusal(address, self.allowed):
            return True
        return lies_in(address, self._own_networks) and not lies_in(address, self.allowed)

    async def _addresses(self, host: str) -> list[Address]:
        if self._proxy:
            return []
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                addresses = [ip_address(text) for text in await self._resolve(host)]
        except TimeoutError as error:
            raise Unreachable("dns", f"The name was not resolved within {RESOLVE_SECONDS:g} s.") from error
        except (OSError, UnicodeError) as error:
            raise Unreachable("dns", "The name cannot be resolved.") from error
        if not addresses:
            raise Unreachable("dns", "The name has no address.")
        return addresses

    async def _ask_system(self, host: str) -> Iterable[str]:
        answers = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        )
        return dict.fromkeys(str(answer[4][0]) for answer in answers)

    def _judged_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """The last look, at the number the socket will be connected to, however it came here."""
        family, kind, protocol, _, where = info
        if self._refused(ip_address(str(where[0]))):
            raise Blocked("address_not_allowed", "The address is not a public one.")
        return socket.socket(family, kind, protocol)


class _JudgingResolver(AbstractResolver):
    """Hands the judged addresses of a name to aiohttp's connector."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._door.judged(host, port)
        ]

    async def close(self) -> None:
        """Nothing is held here."""


async def _read(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    """The body up to so many bytes, and whether it was cut, by size or by time."""
    content = bytearray()
    try:
        while len(content) <= most:
            chunk = await response.content.read(most + 1 - len(content))
            if not chunk:
                return bytes(content), False
            content += chunk
    except TimeoutError:
        pass
    response.close()
    return bytes(content[:most]), True


def _tls_reason(error: aiohttp.ClientSSLError) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        words = getattr(cause, "verify_message", "") or "not valid"
        return f"The certificate is refused: {words}."
    return "The TLS handshake failed."
