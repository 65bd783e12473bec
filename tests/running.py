"""The product as it really runs: processes of an installation under test, on free ports, stopped by id.

Their logs are kept; ``tests/conftest.py`` prints the ends of them beside a failing test.
"""

import base64
import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.engines import free_port
from tests.forked import Forked, command
from tests.secrecy import spilt
from tocsin.kit.crypto import MasterKey
from tocsin.kit.dsn import with_login
from tocsin.kit.lifeline import tied_to_parent
from tocsin.kit.roles import Roles

MASTER_SECRET = base64.b64encode(os.urandom(32)).decode()
"""One for the whole run, because the passwords of the cluster's roles follow from it."""

alive: list["Process"] = []


@dataclass(frozen=True)
class Site:
    """An installation: its database, its data folder and how its processes are told of them."""

    installer_url: str
    home: Path
    redis_url: str | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def master(self) -> MasterKey:
        return MasterKey.load(MASTER_SECRET, self.home)

    @property
    def app_url(self) -> str:
        """The login of API and workers, for tests that attack with it."""
        role = Roles().app
        return with_login(self.installer_url, role, self.master.database_password(role))

    @property
    def platform_url(self) -> str:
        """The login with which the API reads across projects, for tests that attack with it."""
        role = Roles().platform
        return with_login(self.installer_url, role, self.master.database_password(role))

    def environment(self, port: int) -> dict[str, str]:
        """What a process is given: nothing of ours that is meant for another installation."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        wanted = {
            "TOCSIN_HOME": str(self.home),
            "TOCSIN_DATABASE_URL": self.installer_url,
            "TOCSIN_MASTER_KEY": MASTER_SECRET,
            "TOCSIN_PORT": str(port),
            "TOCSIN_GRACE_SECONDS": "0",
            "TOCSIN_ALLOW_PRIVATE_TARGETS": "127.0.0.0/8",
            "TOCSIN_LOG_FORMAT": "text",
            **({"TOCSIN_REDIS_URL": self.redis_url} if self.redis_url else {}),
            **self.settings,
        }
        return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **wanted}


@dataclass
class Process:
    """One running process of a site."""

    name: str
    port: int
    log: Path
    popen: "Forked | subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self, timeout: float = 15) -> int:
        """Ask it to end as an operator would; its exit code. One that does not listen is killed."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        self.popen.kill()
        return self.popen.wait(10)

    def last_lines(self, count: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


def without_sockets(site: Site) -> Site:
    """The same installation for a further API: without Redis one process alone may serve sockets."""
    return replace(site, settings={**site.settings, "TOCSIN_REALTIME": "false"})


@contextlib.contextmanager
def running_api(site: Site) -> Iterator[Process]:
    """`tocsin api`, answering when this yields."""
    with running(site, "api") as process:
        _wait_until_ready(process)
        yield process
        assert not spilt(_metrics(process))


@contextlib.contextmanager
def running(site: Site, role: str) -> Iterator[Process]:
    """`tocsin api` or `tocsin worker` as a process of its own, stopped at the end; its log may hold no secret."""
    process = start(site, role)
    alive.append(process)
    try:
        yield process
    finally:
        process.stop()
        alive.remove(process)
    assert not (found := spilt(process.log.read_bytes())), found[:5]


def start(site: Site, role: str) -> Process:
    port = free_port()
    log = site.home / f"{role}-{port}.log"
    begin = _spawned if "PYTHONPATH" in site.settings else _forked
    return Process(role, port, log, begin(role, site.environment(port), site.home, log))


def _forked(role: str, environment: dict[str, str], folder: Path, log: Path) -> Forked:
    return Forked(command([role]), environment, folder, log)


def _spawned(role: str, environment: dict[str, str], folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """One that imports for itself, since it is to find something else than we did."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tocsin", role],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=tied_to_parent(signal.SIGKILL),
        )


def _wait_until_ready(process: Process, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not _answers(f"{process.url}/health/ready"):
        if process.popen.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.name} did not become ready:\n{process.last_lines()}")
        time.sleep(0.05)


def _metrics(process: Process) -> bytes:
    """What it would show to Prometheus; nothing where a test has ended it already."""
    if process.popen.poll() is not None:
        return b""
    with urllib.request.urlopen(f"{process.url}/metrics", timeout=5) as answer:
        return bytes(answer.read())


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
