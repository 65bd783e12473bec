"""Knows what earlier runs left alive: a stray worker would look like a bug of the product, so none may be there.

Every run notes its processes in a file of its own; a run whose controller is gone and whose processes are not
makes the next one refuse to start.
"""

import json
import os
import tempfile
from pathlib import Path

import psutil


class StillAlive(RuntimeError):
    """Something of an earlier run lives; the message names its pids, and how to end it."""


class Register:
    """The processes of this run, by pid and start time, so that a reused pid accuses nobody."""

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir()) / f"tocsin-crash-{os.geteuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._file = folder / f"{os.getpid()}-{id(self)}.json"
        self._seen: list[tuple[int, float]] = []
        _refuse_company(folder)

    def note(self, pid: int) -> None:
        try:
            self._seen.append((pid, psutil.Process(pid).create_time()))
        except psutil.NoSuchProcess:  # it was killed before we could look
            return
        own = (os.getpid(), psutil.Process().create_time())
        self._file.write_text(json.dumps({"controller": own, "processes": self._seen}))

    def close(self) -> None:
        self._file.unlink(missing_ok=True)


def _refuse_company(folder: Path) -> None:
    for file in folder.glob("*.json"):
        run = json.loads(file.read_text())
        if _lives(*run["controller"]):
            continue  # a run of its own beside ours, which will clean up after itself
        if stray := [pid for pid, started in run["processes"] if _lives(pid, started)]:
            raise StillAlive(f"Processes of an earlier crash run are alive: {stray}. End them with kill -9.")
        file.unlink(missing_ok=True)


def _lives(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
