"""Processes that may not be our children any more: which one is it, does it live, end it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_POLL = 0.05


def birth(pid: int) -> str | None:
    """What tells this process from any other that ever had its number, or None when it has ended."""
    if sys.platform != "linux":
        listing = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
        return listing.stdout.strip() or None
    try:
        # proc_pid_stat(5): after the command in brackets come the state and, as 20th, the start in ticks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def end(pid: int, born: str, *, patience: float) -> None:
    """Ask it to end, and kill it after ``patience`` seconds. Nothing happens to another that got its number."""
    for signal_, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        if birth(pid) != born:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_)
        deadline = time.monotonic() + seconds
        while birth(pid) == born and time.monotonic() < deadline:
            time.sleep(_POLL)
