"""One `tocsin up` per data folder, and what the next one must know of it.

``up.lock`` is held as long as the process lives; ``up.json`` says where it serves and which processes it
started, so that whoever comes after a kill can end what was left over.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tocsin.up.process import birth, end

# Longer than a worker or API takes that finishes what it is doing.
_PATIENCE = 10.0


class AlreadyRunning(Exception):
    """Another process serves this data folder: its process id, and its address once it has one."""

    def __init__(self, pid: int | None, url: str | None) -> None:
        super().__init__(f"Tocsin is already running at {url} (pid {pid}).")
        self.pid = pid
        self.url = url


@dataclass(slots=True)
class Claim:
    """The right to serve one data folder."""

    note: Path
    url: str | None = None
    children: dict[str, tuple[int, str]] = field(default_factory=dict)

    def serve_at(self, url: str) -> None:
        self.url = url
        self._write()

    def started(self, name: str, pid: int) -> None:
        if born := birth(pid):
            self.children[name] = (pid, born)
            self._write()

    def _write(self) -> None:
        fresh = self.note.with_suffix(".new")
        fresh.write_text(json.dumps({"pid": os.getpid(), "url": self.url, "children": self.children}))
        fresh.replace(self.note)


@contextmanager
def claimed(home: Path) -> Iterator[Claim]:
    """Hold the folder; leftovers of one that was killed are ended first. Raises AlreadyRunning."""
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    note = home / "up.json"
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            before = _read(note)
            raise AlreadyRunning(before.get("pid"), before.get("url")) from None
        for pid, born in _read(note).get("children", {}).values():
            end(pid, born, patience=_PATIENCE)
        claim = Claim(note)
        claim._write()
        yield claim
        note.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _read(note: Path) -> dict[str, Any]:
    try:
        content = json.loads(note.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
