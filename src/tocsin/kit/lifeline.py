"""Processes that surely end: a child with its parent, though that is killed with signal 9, and any one in time."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def bare_environment(**more: str) -> dict[str, str]:
    """For a child that must not know secrets of ours: where the code is, and what is named here."""
    paths = [str(Path(path).resolve()) for path in sys.path]
    return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", "TZ": "UTC", **more}


def tied_to_parent(signal_: signal.Signals) -> Callable[[], None] | None:
    """A ``preexec_fn`` that has the kernel send the child this signal when its parent ends; None off Linux.

    "Parent" is the thread that starts the child (prctl(2)), so start it from the main thread or from one
    that lives as long.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal_))
        if os.getppid() != parent:  # it ended before the kernel knew
            os._exit(1)

    return tie


def end_within(seconds: float) -> None:
    """Have the kernel end this process after so many seconds, whatever it waits for then (SIGALRM)."""
    signal.alarm(max(1, round(seconds)))
