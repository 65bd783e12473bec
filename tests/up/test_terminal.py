"""`tocsin up` at a terminal: one screen, and an orderly end when the terminal is closed."""

import contextlib
import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.engines import free_port, temporary_folder
from tests.up.installation import at_work_in, environ, until


@pytest.mark.parametrize("command", ["exec {python} -m tocsin up", "trap '' HUP; {python} -m tocsin up; true"])
def test_it_ends_when_its_terminal_is_closed(command: str) -> None:
    with temporary_folder() as folder:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            ["/bin/sh", "-c", command.format(python=sys.executable)],
            env={**environ(home=str(folder / "home"), port=str(free_port())), "TERM": "xterm"},
            cwd=folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        try:
            _read_until(ours, b"First steps")
        finally:
            os.close(ours)
        until(lambda: process.poll() is not None, "the end of tocsin up")
        until(lambda: not at_work_in(Path(folder)), "the end of what it started")


def _read_until(terminal: int, words: bytes) -> None:
    shown, deadline = b"", time.monotonic() + 120
    with contextlib.suppress(OSError):
        while words not in shown and time.monotonic() < deadline:
            if select.select([terminal], [], [], 1.0)[0]:
                shown += os.read(terminal, 65_536)
    assert words in shown, shown.decode(errors="replace")
