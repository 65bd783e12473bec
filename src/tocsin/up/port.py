"""Which port to serve on, and who has it when it is taken."""

import errno
import socket
import sys
from contextlib import suppress
from pathlib import Path

from tocsin.kit.expected import Expected


class PortTaken(Expected):
    """Somebody else listens there, or we may not; the message says who and what to do."""


def usable_port(host: str, port: int) -> int:
    """The port itself when we can listen on it, a free one for 0. Raises PortTaken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: TIME_WAIT is no holder
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        raise PortTaken(_words(host, port, error)) from error


def _words(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken{_by(port)}. Choose another, for example: TOCSIN_PORT={port + 1} tocsin up"
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}. Choose one above 1023 with TOCSIN_PORT."
    return f"Nobody can listen on {host}:{port} here: {error.strerror}. TOCSIN_HOST and TOCSIN_PORT choose the address."


def _by(port: int) -> str:
    """Who has it, as far as this user may see; Linux alone tells without further programs."""
    if sys.platform != "linux":
        return ""
    listeners = _listeners(port)
    holder = next((pid for pid in _pids() if listeners & _sockets(pid)), None)
    return f" by process {holder} ({_command(holder)})" if holder else ""


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "just ended"
    return b" ".join(words).decode(errors="replace").strip()[:80]


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _listeners(port: int) -> set[str]:
    """The sockets that listen on this port, as links in /proc name them (proc_pid_net(5): state 0A, inode 10th)."""
    found = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _sockets(pid: int) -> set[str]:
    """What this process has open, as far as we may see it."""
    found = set()
    with suppress(OSError):  # another user's, or just ended
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            found.add(str(descriptor.readlink()))
    return found
