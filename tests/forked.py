"""Processes of the product without the seconds that its imports take: forked from one that has done them.

What is started hundreds of times is forked by the standard library's fork server, which ends with whoever started it
and takes along what it forked. Such a process has the modules and nothing else of its parent: environment, folder,
group and output are its own.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_server = multiprocessing.get_context("forkserver")
_PRODUCT = ["tocsin.api", "tocsin.cli", "tocsin.importing", "tocsin.logins", "tocsin.worker"]
_server.set_forkserver_preload(["pytest", *_PRODUCT, __name__])


class Forked:
    """A process that runs ``code``, with as much of ``subprocess.Popen`` as tests ask of one."""

    def __init__(self, code: str, environment: dict[str, str], folder: Path, log: Path) -> None:
        log.touch(mode=0o600)
        self._process = _server.Process(target=_live, args=(code, environment, str(folder), str(log)), daemon=True)
        self._process.start()
        self._asking = threading.Lock()
        assert self._process.pid
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """None while it lives, else its exit code; of one that a signal ended, the signal's number below zero."""
        with self._asking:
            return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def command(arguments: Sequence[str]) -> str:
    """The code that is `tocsin` with these arguments."""
    return f"import sys; sys.argv[1:] = {list(arguments)}; from tocsin.cli import main; main()"


def _live(code: str, environment: dict[str, str], folder: str, log: str) -> None:
    """Become what was ordered, to its end."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    os.setpgid(0, 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for old, new in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(old, new)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    exec(code, {"__name__": "__main__"})
