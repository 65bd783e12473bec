"""Keys pressed at the terminal, without waiting for Enter."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_key(keys: str, pressed: Callable[[], None]) -> Iterator[None]:
    """Call ``pressed`` when one of the keys is hit; nothing happens where standard input is no terminal.

    The terminal is as before afterwards; Ctrl-C goes on being a signal.
    """
    descriptor = sys.stdin.fileno() if sys.stdin is not None and not sys.stdin.closed else -1
    if descriptor < 0 or not os.isatty(descriptor) or os.tcgetpgrp(descriptor) != os.getpgrp():
        yield
        return
    before = termios.tcgetattr(descriptor)
    wanted = {key.encode() for key in keys}

    def read() -> None:
        typed = os.read(descriptor, 64)
        if any(bytes([one]) in wanted for one in typed):
            pressed()

    loop = asyncio.get_running_loop()
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, read)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
