"""What a process that runs somebody else's library for a tenant cannot do, by a hook that nothing can remove.

Connecting anywhere but to a judged address and port, any other use of sockets, starting programs, writing files, and
reading those that are no part of Python and its libraries (PEP 578).
"""

import os
import socket
import sys
import sysconfig
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from tocsin.channels.longtail.exchange import Rules
from tocsin.kit.addresses import Network, lies_in, refusal
from tocsin.kit.hostnames import lies_under
from tocsin.kit.http import HTTP_PORTS, Blocked, BlockedCode, parse_target

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NEVER = ("os.", "subprocess.", "shutil.", "pty.", "tempfile.", "sqlite3.", "ctypes.", "socket.bind", "socket.send")
"""Beginnings of events; the two of ``os`` that only look are judged by their path."""
_LOOKS = ("os.listdir", "os.scandir")


class Jail:
    """``close`` shuts it for good. ``blocked`` is the last target that was refused."""

    def __init__(self, rules: Rules) -> None:
        self.blocked: Blocked | None = None
        self._allowed = _networks(rules.allowed)
        self._own_networks = _networks(rules.own_networks)
        self._own = frozenset(rules.own)
        self._own_domain = rules.own_domain
        self._proxy = _addresses_of(rules.proxy)
        self._libraries = _library_folders()

    def close(self) -> None:
        sys.addaudithook(self._hear)

    def judge_url(self, url: str) -> tuple[str, int]:
        """The host and port of a URL; raises Blocked for what the door would refuse by its text."""
        try:
            target = parse_target(url, allowed=self._allowed)
        except Blocked as refused:
            self.blocked = refused
            raise
        below = self._own_domain is not None and lies_under(target.host, self._own_domain)
        if below or (target.host, target.port) in self._own:
            raise self._refused("This is an address of this installation itself.")
        return target.host, target.port

    def judge_host(self, host: str, port: int) -> None:
        """Raise Blocked for a name that leads inside today; one that does not resolve may do so tomorrow."""
        if self._proxy:
            return
        with suppress(OSError):
            for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                self._judge_address(str(found[4][0]), port)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            self._judge_connection(*args)
        elif event == "open":
            self._judge_file(*args)
        elif event in _LOOKS:
            self._judge_file(args[0], None, 0)
        elif event.startswith(_NEVER):
            raise PermissionError(f"{event} is not for this process")

    def _judge_connection(self, sock: socket.socket, address: Any) -> None:
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type & 0xF != socket.SOCK_STREAM:
            raise self._refused("Only HTTP may leave.")
        host, port = str(address[0]).partition("%")[0], int(address[1])
        if self._proxy:
            if (host, port) not in self._proxy:
                raise self._refused("Only the outgoing proxy may be connected to.")
            return
        self._judge_address(host, port)

    def _judge_address(self, host: str, port: int) -> None:
        try:
            number = ip_address(host)
        except ValueError:
            raise self._refused("Names are resolved before anything connects.") from None
        inside = lies_in(number, self._own_networks) and not lies_in(number, self._allowed)
        if refusal(number, self._allowed) or inside or (str(number), port) in self._own:
            raise self._refused("The host has an address that is not a public one.")
        if port not in HTTP_PORTS and not lies_in(number, self._allowed):
            raise self._refused(f"Port {port} is not allowed.", "port_not_allowed")

    def _judge_file(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int):
            return
        where = os.path.realpath(os.fsdecode(path if path is not None else "."))
        if int(flags or 0) & _WRITES or not f"{where}/".startswith(self._libraries):
            raise PermissionError("files are not for this process")

    def _refused(self, detail: str, code: BlockedCode = "address_not_allowed") -> Blocked:
        self.blocked = Blocked(code, detail)
        return self.blocked


def _networks(texts: list[str]) -> tuple[Network, ...]:
    return tuple([ip_network(text) for text in texts])


def _addresses_of(proxy: str | None) -> frozenset[tuple[str, int]]:
    """Asked once, before the jail closes."""
    if proxy is None:
        return frozenset()
    authority = proxy.partition("://")[2].partition("/")[0].rpartition("@")[2]
    host, _, port = authority.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return frozenset((str(each[4][0]), int(each[4][1])) for each in found)


def _library_folders() -> tuple[str, ...]:
    """Of Python, of its packages and of this code: what may be read."""
    paths = sysconfig.get_paths()
    folders = {*(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")), *filter(None, sys.path)}
    return tuple([f"{Path(folder).resolve()}/" for folder in folders if Path(folder).is_dir()])
