"""Life of one server over one data folder: make, start or adopt, stop. Synchronous, for start-up code."""

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tocsin.kit.lifeline import tied_to_parent
from tocsin.kit.postgres.account import Account, account_for
from tocsin.kit.postgres.binaries import Binaries, CannotStart
from tocsin.kit.postgres.files import beside, locked, open_private
from tocsin.kit.postgres.initdb import SUPERUSER, environment, is_made, make

SETTINGS: Mapping[str, str] = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "random_page_cost": "1.1",  # solid-state disks
    "jit": "off",  # compiling costs more than our short queries
    # Queue tables turn over completely within minutes; the default of 20 % dead rows comes too late.
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "1000",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %u@%d ",
}

_POLL = 0.02
_LOG_LIMIT = 10_000_000
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_SOCKET_PATH_LIMIT = 103  # bytes of sun_path: 108 on Linux, 104 on macOS, one of them the final zero


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers. ``adopted`` says that somebody else started it."""

    pid: int
    port: int
    socket_dir: Path | None
    data_dir: Path
    binaries: Binaries
    adopted: bool
    password: str = field(repr=False)
    _process: "subprocess.Popen[bytes] | None" = field(repr=False, compare=False, default=None)

    def dsn(self, database: str = "postgres") -> str:
        """URL of the superuser over TCP, as asyncpg and libpq read it."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def stop(self, *, timeout: float = 30) -> None:
        stop(self.data_dir, timeout=timeout)
        if self._process is not None:
            self._process.wait(timeout)


def start(
    data_dir: Path,
    binaries: Binaries,
    *,
    daemon: bool,
    settings: Mapping[str, str] | None = None,
    timeout: float = 60,
) -> Running:
    """A server over this folder: the live one if there is one, else a new one; an absent folder is made.

    A daemon survives us; otherwise the server shuts down when the calling thread ends (Linux). ``settings``
    go over SETTINGS and count only for a new server. A second starter waits for the first and adopts.
    Raises CannotStart, with the end of the server's log, when there is no answer within ``timeout`` seconds.
    """
    data_dir = data_dir.resolve()
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    with locked(beside(data_dir, "start.lock"), deadline):
        _check(data_dir, binaries)
        pid = server_pid(data_dir)
        if pid and (status := _wait_until_ready(data_dir, pid, None, deadline)):
            return _running(data_dir, binaries, status, None)
        with locked(beside(data_dir, "server.lock"), deadline) as held:
            account = account_for(data_dir, binaries)
            wanted = {**SETTINGS, **(settings or {})}
            if not is_made(data_dir):
                make(data_dir, binaries, account, held, durable=wanted["fsync"] != "off")
            account.take(data_dir)
            _forget_the_dead(data_dir)
            return _launch(data_dir, binaries, account, held, daemon, wanted, deadline)


def stop(data_dir: Path, *, timeout: float = 30) -> None:
    """Shut the server of this folder down, fast and clean; without mercy but still safe after ``timeout``.

    Nothing happens when none runs. Raises TimeoutError when it survives both.
    """
    data_dir = data_dir.resolve()
    for signal_, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, 5.0)):
        pid = server_pid(data_dir)
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_)
        deadline = time.monotonic() + patience
        while _serves(pid, data_dir) and time.monotonic() < deadline:
            time.sleep(_POLL)
    if (pid := server_pid(data_dir)) is not None:
        raise TimeoutError(f"The PostgreSQL server {pid} over {data_dir} does not stop.")


def server_pid(data_dir: Path) -> int | None:
    """The live server of this folder. A process that merely got the number of a dead one does not count."""
    data_dir = data_dir.resolve()
    status = _status(data_dir)
    return status.pid if status and _serves(status.pid, data_dir) else None


def _check(data_dir: Path, binaries: Binaries) -> None:
    """Refuse a folder that these binaries, or we, cannot serve."""
    if not data_dir.exists():
        return
    owner = data_dir.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise CannotStart(
            f"The data folder {data_dir} belongs to user id {owner}, and this is user id {os.geteuid()}."
            f" Start as that user or as root, or hand it over: chown -R {os.geteuid()} {data_dir}"
        )
    if not is_made(data_dir):
        if any(data_dir.iterdir()):
            raise CannotStart(f"{data_dir} holds files but no database. Move them away, or choose another folder.")
        return
    major = int((data_dir / "PG_VERSION").read_text())
    if major != binaries.major:
        raise CannotStart(
            f"The data in {data_dir} was made by PostgreSQL {major}, and {binaries.folder} holds PostgreSQL"
            f" {binaries.major}. Set TOCSIN_POSTGRES_BIN to a folder with PostgreSQL {major}, or convert the"
            " data with pg_upgrade (https://www.postgresql.org/docs/current/pgupgrade.html)."
        )
    if not beside(data_dir, "password").exists():
        raise CannotStart(
            f"{beside(data_dir, 'password')} is missing: it holds the password of the database's superuser."
            " Restore it from the backup that the data came from."
        )


def _forget_the_dead(data_dir: Path) -> None:
    """Remove the pid files of a killed server: PostgreSQL gives up when another process got the number.

    Safe because we hold the lock that every process of a live server holds.
    """
    (data_dir / "postmaster.pid").unlink(missing_ok=True)
    for left_over in data_dir.glob(".s.PGSQL.*"):
        left_over.unlink()


def _launch(
    data_dir: Path,
    binaries: Binaries,
    account: Account,
    held: int,
    daemon: bool,
    settings: Mapping[str, str],
    deadline: float,
) -> Running:
    log = beside(data_dir, "log")
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(beside(data_dir, "log.1"))
    log_start = log.stat().st_size if log.exists() else 0
    for _ in range(3):
        port = _choose_port(data_dir)
        command = [*account.prefix, *_command(data_dir, binaries, port, settings)]
        process = _spawn(command, log, account, held, daemon)
        if status := _wait_until_ready(data_dir, process.pid, process, deadline):
            return _running(data_dir, binaries, status, process)
        if _is_free(port):  # so it was not that somebody else took the port meanwhile
            break
    raise CannotStart(f"PostgreSQL ended while starting. The end of {log}:\n{_tail(data_dir, log_start)}")


def _choose_port(data_dir: Path) -> int:
    """The port of the last time while nobody else has it; the server notes its command line in the folder."""
    options = data_dir / "postmaster.opts"
    if options.exists() and (last := re.search(r'"-p" "(\d+)"', options.read_text())):
        port = int(last[1])
        if _is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _command(data_dir: Path, binaries: Binaries, port: int, settings: Mapping[str, str]) -> list[str]:
    # Only the server's own account enters the data folder, which makes it the right place for the socket.
    fits = len(os.fsencode(data_dir)) + len("/.s.PGSQL.65535") <= _SOCKET_PATH_LIMIT
    fixed = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(data_dir) if fits else ""}
    command = [binaries.postgres, "-D", str(data_dir), "-p", str(port)]
    for name, value in {**settings, **fixed}.items():
        command += ["-c", f"{name}={value}"]
    return command


def _spawn(command: list[str], log: Path, account: Account, held: int, daemon: bool) -> "subprocess.Popen[bytes]":
    """Start in a session of its own: Ctrl-C must reach the workers first, they still need the database."""
    # We open the log: the server's account may not write where it stands.
    descriptor = open_private(log, os.O_WRONLY | os.O_APPEND)
    try:
        return subprocess.Popen(
            command,
            cwd="/",
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            pass_fds=(held,),
            start_new_session=True,
            preexec_fn=None if daemon else tied_to_parent(signal.SIGINT),
            **account.popen_options(),
        )
    finally:
        os.close(descriptor)


def _wait_until_ready(
    data_dir: Path, pid: int, process: "subprocess.Popen[bytes] | None", deadline: float
) -> "_Status | None":
    """The status of the server once it takes connections, None when it ended instead."""
    while True:
        alive = _serves(pid, data_dir) if process is None else process.poll() is None
        status = _status(data_dir)
        if not alive:
            return None
        if status and status.pid == pid and status.ready and _answers(status.port):
            return status
        if time.monotonic() > deadline:
            raise CannotStart(
                f"PostgreSQL (process {pid}) is still starting; after a crash it may have much to recover."
                f" It was left running: try again later. The end of its log:\n{_tail(data_dir, 0)}"
            )
        time.sleep(_POLL)


def _answers(port: int) -> bool:
    """Whether the server talks: one that was just killed keeps its command line and its sockets for a moment.

    The shortest exchange of the protocol: an SSLRequest, which is answered with one byte and logged nowhere
    (https://www.postgresql.org/docs/current/protocol-message-formats.html).
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(_SSL_REQUEST)
            return connection.recv(1) in (b"S", b"N")
    except OSError:
        return False


def _tail(data_dir: Path, start: int) -> str:
    log = beside(data_dir, "log")
    if not log.exists():
        return "(there is no log)"
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - 10_000))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-15:])


@dataclass(frozen=True, slots=True)
class _Status:
    pid: int
    port: int
    socket_dir: Path | None
    ready: bool


def _status(data_dir: Path) -> _Status | None:
    """What ``postmaster.pid`` says: pid, folder, start time, port, socket folder, address, memory, state."""
    try:
        lines = (data_dir / "postmaster.pid").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 5 or not (lines[0].isdigit() and lines[3].isdigit()):  # being written
        return None
    ready = len(lines) >= 8 and lines[7].strip() == "ready"
    return _Status(int(lines[0]), int(lines[3]), Path(lines[4]) if lines[4] else None, ready)


def _serves(pid: int, data_dir: Path) -> bool:
    """Whether this process is alive and a server over this folder, by its command line."""
    if sys.platform == "linux":
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")  # empty once it is a zombie
        except OSError:
            return False
        return (b"-D", os.fsencode(data_dir)) in pairwise(words)
    listing = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return f" -D {data_dir} " in listing.stdout


def _running(data_dir: Path, binaries: Binaries, status: _Status, process: "subprocess.Popen[bytes] | None") -> Running:
    return Running(
        pid=status.pid,
        port=status.port,
        socket_dir=status.socket_dir,
        data_dir=data_dir,
        binaries=binaries,
        adopted=process is None,
        password=beside(data_dir, "password").read_text(),
        _process=process,
    )
