"""An outgoing HTTP proxy of the operator's, through which other protocols leave by CONNECT (RFC 9110, 9.3.6)."""

import asyncio
import base64
import socket

from yarl import URL

ANSWER_BYTES = 8_192
CONNECT_SECONDS = 10.0


class ProxyFailed(Exception):
    """The proxy is away or refuses; its message may be shown to a tenant."""


async def tunnel(proxy: URL, host: str, port: int) -> socket.socket:
    """A connected, non-blocking socket to a name that the proxy resolves. Raises ProxyFailed."""
    sock: socket.socket | None = None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            sock = await _connected(proxy)
            await asyncio.get_running_loop().sock_sendall(sock, _request(proxy, host, port))
            status = await _status(sock)
    except OSError as error:  # also the timeout
        _close(sock)
        raise ProxyFailed("The outgoing proxy does not answer.") from error
    except asyncio.CancelledError:
        _close(sock)
        raise
    if not 200 <= status < 300:
        _close(sock)
        raise ProxyFailed(f"The outgoing proxy answered {status}." if status else "The outgoing proxy is none.")
    return sock


async def _connected(proxy: URL) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, where = found[0]
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    try:
        await loop.sock_connect(sock, where)
    except BaseException:  # given on: whatever ends this, the socket is nobody's
        sock.close()
        raise
    return sock


def _request(proxy: URL, host: str, port: int) -> bytes:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.user is not None:
        login = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {login}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _status(sock: socket.socket) -> int:
    """The status of the proxy's answer; 0 for what is no answer.

    Read byte by byte: what follows the head already belongs to the server behind it, which may speak first.
    """
    loop = asyncio.get_running_loop()
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = await loop.sock_recv(sock, 1)
        if not byte or len(head) >= ANSWER_BYTES:
            return 0
        head += byte
    first = head.split(b" ", 2)
    return int(first[1]) if len(first) > 1 and first[0].startswith(b"HTTP/1.") and first[1].isdigit() else 0


def _close(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()
