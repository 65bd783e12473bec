"""A real `tocsin up` over a folder of its own, as a child process, and what can be seen of it from outside."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

import tocsin
from tests.engines import free_port, temporary_folder
from tocsin.kit.lifeline import tied_to_parent

SOURCE = str(Path(tocsin.__file__).parents[1])
ACCOUNT = {"email": "owner@example.com", "password": "a long one, made up", "projectName": "Shop"}


def environ(**settings: str) -> dict[str, str]:
    """Our own environment without any setting of Tocsin but these."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    if "TOCSIN_POSTGRES_BIN" in os.environ:
        ours["TOCSIN_POSTGRES_BIN"] = os.environ["TOCSIN_POSTGRES_BIN"]
    return {**ours, "PYTHONPATH": SOURCE, **{f"TOCSIN_{name.upper()}": value for name, value in settings.items()}}


def tocsin_command(*words: str, settings: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *words],
        env=environ(**(settings or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@dataclass
class Up:
    """One process of `tocsin up`; several may follow each other over the same folder."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    user: int | None = None
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def all_settings(self) -> dict[str, str]:
        return {"home": str(self.home), "port": str(self.port), **self.settings}

    def start(self) -> None:
        account: dict[str, Any] = {}
        if self.user is not None:
            account = {"user": self.user, "group": self.user, "extra_groups": []}
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tocsin", "up"],
                env=environ(**self.all_settings()),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=tied_to_parent(signal.SIGTERM),
                **account,
            )
        until(lambda: "ready at" in self.output() or self.process.poll() is not None, "tocsin up", seconds=150)
        assert self.process.poll() is None, self.output()

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def end(self, signal_: signal.Signals = signal.SIGTERM) -> int:
        """The exit code, negative for a signal."""
        assert self.process is not None
        self.process.send_signal(signal_)
        return self.process.wait(60)

    def children(self) -> dict[str, int]:
        noted = json.loads((self.home / "up.json").read_text())["children"]
        return {name: pid for name, (pid, _) in noted.items()}

    def tree(self) -> list[psutil.Process]:
        """Itself and everything below it."""
        assert self.process is not None
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and decoded body; status 0 while nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, HTTPException):
            return 0, None
        finally:
            connection.close()

    def ready(self) -> bool:
        return self.request("GET", "/health/ready")[0] == 200


@contextlib.contextmanager
def installation(*, user: int | None = None, **settings: str) -> Iterator[Up]:
    """A folder and a port, not started; at the end nothing of it is left running."""
    with temporary_folder() as folder:
        if user is not None:
            os.chown(folder, user, user)
        up = Up(folder, free_port(), settings, user)
        try:
            yield up
        finally:
            if up.process is not None and up.process.poll() is None:
                up.end()
            until(lambda: not at_work_in(folder), f"nothing left running in {folder}")


def enters(user: int) -> bool:
    """Whether this user reaches our Python and the source."""
    command = [sys.executable, "-c", "import tocsin.settings"]
    try:
        answer = subprocess.run(command, env=environ(), cwd="/", user=user, group=user, extra_groups=[], timeout=60)
    except OSError:
        return False
    return answer.returncode == 0


def at_work_in(folder: Path) -> list[psutil.Process]:
    """Processes whose command line names this folder or whose TOCSIN_HOME lies in it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = [*process.cmdline(), process.environ().get("TOCSIN_HOME", "")]
            if process.pid != os.getpid() and any(str(folder) in word for word in words):
                found.append(process)
    return found


def until(true: Callable[[], object], what: str, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.05)
