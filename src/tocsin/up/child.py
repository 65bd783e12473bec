"""One process that `tocsin up` keeps alive: started, watched, started again after a death, ended."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal

from tocsin.kit.expected import Expected
from tocsin.kit.lifeline import tied_to_parent
from tocsin.up.logfile import ChildLog, Notice

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
_LONG_ENOUGH = 60.0  # seconds of life after which the next death counts as the first

State = Literal["starting", "running", "restarting", "ended"]


class NotUp(Expected):
    """A process ended, or did not serve in time, before it served once; the message holds the end of its log."""


class Child:
    """``python -m tocsin <name>`` with this environment.

    ``starting`` -> ``running`` (set by whoever sees it work) -> ``restarting`` -> ``starting``; ``ended`` for good.
    """

    def __init__(
        self,
        name: str,
        environ: Mapping[str, str],
        log: ChildLog,
        *,
        started: Callable[[str, int], None],
        notice: Callable[[Notice], None],
    ) -> None:
        self.name = name
        self.log = log
        self.state: State = "starting"
        self.deaths = 0
        self.pid: int | None = None
        self._environ = dict(environ)
        self._started = started
        self._notice = notice
        self._stopping = asyncio.Event()

    async def keep_alive(self) -> None:
        """Run it again and again until told to stop."""
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            code = await self._live_once()
            if self._stopping.is_set():
                break
            self.deaths += 1
            self.state = "restarting"
            pause = FIRST_PAUSE if loop.time() - began > _LONG_ENOUGH else min(pause * 2, LONGEST_PAUSE)
            self._notice(Notice(self.name, "error", f"ended ({_cause(code)}), starts again in {pause:.0f} s"))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
        self.state = "ended"

    def stop(self) -> None:
        """Ask it to finish what it is doing and to end."""
        self._stopping.set()
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._stopping.set()
        self._send(signal.SIGKILL)

    def not_up(self, what: str) -> NotUp:
        """The error to raise when it never served, with its last words."""
        words = "\n".join(f"  {line[:400]}" for line in self.log.tail) or "  (it said nothing)"
        return NotUp(f"The process `tocsin {self.name}` {what}. The end of {self.log.path}:\n{words}")

    async def _live_once(self) -> int:
        """From start to end; its output goes to the log. The exit code, negative for a signal."""
        self.state = "starting"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tocsin",
            self.name,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal is for us alone; we end the children in order
            preexec_fn=tied_to_parent(signal.SIGTERM),
        )
        self.pid = process.pid
        self._started(self.name, process.pid)
        if self._stopping.is_set():
            self._send(signal.SIGTERM)
        assert process.stdout is not None
        while chunk := await process.stdout.read(65536):
            for notice in self.log.feed(chunk):
                self._notice(notice)
        code = await process.wait()
        self.pid = None
        return code

    def _send(self, signal_: signal.Signals) -> None:
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal_)


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
