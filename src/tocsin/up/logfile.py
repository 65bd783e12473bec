"""The log of a child process: kept whole in a bounded file, its warnings and errors picked out."""

import json
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LIMIT = 5_000_000
_LONGEST_LINE = 100_000
_TOLD = frozenset({"warning", "error", "critical"})
_SAID_BY_LEVEL = frozenset({"event", "level", "timestamp", "logger", "exception"})


@dataclass(frozen=True, slots=True)
class Notice:
    """A line worth showing."""

    source: str
    level: str
    words: str


class ChildLog:
    """``<folder>/<name>.log`` and one older file ``.1``; each holds about LIMIT bytes at most."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{name}.log"
        self.tail: deque[str] = deque(maxlen=15)
        self._name = name
        self._rest = b""
        self._file = self._open()

    def feed(self, chunk: bytes) -> list[Notice]:
        """Keep what was read, and return the notices in the lines that it completes."""
        self._keep(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[-_LONGEST_LINE:]
        return [notice for line in lines if (notice := self._notice(line.decode(errors="replace").rstrip()))]

    def close(self) -> None:
        self._file.close()

    def _keep(self, chunk: bytes) -> None:
        if self._file.tell() > LIMIT:
            self._file.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._file = self._open()
        self._file.write(chunk)

    def _open(self) -> IO[bytes]:
        return os.fdopen(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab", buffering=0)

    def _notice(self, line: str) -> Notice | None:
        if not line:
            return None
        self.tail.append(line)
        try:
            entry = json.loads(line)
        except ValueError:
            return None  # traces and words of libraries: in the file, and in the tail when the process ends
        if not isinstance(entry, dict) or entry.get("level") not in _TOLD:
            return None
        rest = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _SAID_BY_LEVEL)
        return Notice(self._name, entry["level"], f"{entry.get('event', '')} {rest}".strip()[:300])
