"""Processes of the product without the seconds that its imports take: forked from one that has done them.

What is killed hundreds of times is started hundreds of times. A forked process has the modules and nothing else of its
parent: environment, folder, group and output are its own. ``python -m tests.crash.hatchery`` is the parent; it gets
an order a line and answers with a pid, and what it forked ends with it.
"""

import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import msgspec
import psutil

from tocsin.kit.lifeline import tied_to_parent


class Order(msgspec.Struct):
    """What is to be run, and in what surroundings."""

    code: str
    environment: dict[str, str]
    folder: str
    log: str


class Hatched:
    """A forked process; it is nobody's to wait for, since the hatchery has it reaped at once."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._process: psutil.Process | None = psutil.Process(pid)
        except psutil.NoSuchProcess:
            self._process = None

    def poll(self) -> int | None:
        """None while it lives. How it ended is in its log."""
        return None if self._process and self._process.is_running() else 0

    def wait(self, timeout: float) -> None:
        if self._process:
            self._process.wait(timeout)


class Hatchery:
    """Started from a thread that lives as long as it is wanted."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.hatchery"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=tied_to_parent(signal.SIGKILL),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def hatch(self, order: Order) -> Hatched:
        assert self._process.stdin and self._process.stdout
        Path(order.log).touch(mode=0o600)
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        return Hatched(int(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)


def main() -> None:
    import tocsin.api
    import tocsin.worker  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    tie = tied_to_parent(signal.SIGKILL)
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        pid = os.fork()
        if pid == 0:
            if tie:
                tie()
            _live(order)
        print(pid, flush=True)


def _live(order: Order) -> NoReturn:
    """Become what was ordered, to its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for old, new in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    code = 1
    try:
        exec(order.code, {"__name__": "__main__"})
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except Exception:
        traceback.print_exc()
    finally:  # whatever it was: a fork that got past this would go on as a second hatchery
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
