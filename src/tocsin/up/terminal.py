"""The terminal we were started from: keys without waiting for Enter, and the day it goes away."""

import asyncio
import os
import stat
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def on_key(keys: str, pressed: Callable[[], None]) -> Iterator[None]:
    """Call ``pressed`` when one of the keys is hit, or when the terminal is closed.

    Nothing happens where standard input is no terminal. It is as before afterwards; Ctrl-C goes on being a signal.
    """
    descriptor = sys.stdin.fileno() if sys.stdin is not None and not sys.stdin.closed else -1
    if descriptor < 0 or not os.isatty(descriptor) or os.tcgetpgrp(descriptor) != os.getpgrp():
        yield
        return
    before = termios.tcgetattr(descriptor)
    wanted = {key.encode() for key in keys}
    loop = asyncio.get_running_loop()

    def read() -> None:
        typed = b""
        with suppress(OSError):
            typed = os.read(descriptor, 64)
        if not typed:
            loop.remove_reader(descriptor)
            let_go_of_terminal()
            pressed()
        elif any(bytes([one]) in wanted for one in typed):
            pressed()

    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, read)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def let_go_of_terminal() -> None:
    """Write to nowhere from now on: a closed terminal fails every write, and there is still an order to end in."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is not None and not stream.closed and _is_terminal(stream.fileno()):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _is_terminal(descriptor: int) -> bool:
    """Also of a terminal that was closed, which ``isatty`` does not call one any more: a character device, not null."""
    status = os.fstat(descriptor)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev != Path(os.devnull).stat().st_rdev
