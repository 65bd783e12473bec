"""Anchors: the ends of the chains, written down outside the database, where nobody with its rights can reach.

A chain cannot see that its own tail was cut, or that all of it was written anew. Whoever keeps a copy of this file
(or of the log, which says the same) can.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import structlog

from tocsin.kit.db import Database
from tocsin.kit.expected import Expected

EVERY_SECONDS = 3600.0
_PAGE = 500
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger(__name__)


class BadAnchors(Expected):
    """A file of anchors that cannot be read; the message names the line."""


class Anchor(msgspec.Struct, frozen=True):
    """One line: at that moment the chain of this project ended there."""

    at: datetime
    project: UUID
    seq: int
    hash: str


def anchors_file(home: Path) -> Path:
    """Where an installation keeps its anchors."""
    return home / "audit" / "anchors.jsonl"


class AnchorStage:
    """Writes down the chains that grew since the last time; all of them at the start of the process."""

    def __init__(self, db: Database, home: Path) -> None:
        self._db = db
        self._file = anchors_file(home)
        self._since = _BEGINNING

    async def run_once(self) -> bool:
        begun: datetime = await self._db.hot.fetchval("SELECT now()")
        after, heads = UUID(int=0), [None]
        while heads:
            heads = await self._db.hot.fetch(
                "SELECT project_id, seq, hash FROM tocsin.audit_heads_since($1, $2, $3)", self._since, after, _PAGE
            )
            if heads:
                self._write(begun, heads)
                after = heads[-1]["project_id"]
        self._since = begun
        return False

    def _write(self, at: datetime, heads: Sequence[Any]) -> None:
        anchors = [Anchor(at, UUID(str(head["project_id"])), head["seq"], head["hash"].hex()) for head in heads]
        append(self._file, anchors)
        for anchor in anchors:
            log.info("audit anchor", project_id=str(anchor.project), seq=anchor.seq, hash=anchor.hash)


def append(file: Path, anchors: Sequence[Anchor]) -> None:
    """Add lines and wait until the disk has them. Two processes may: each writes whole lines in one go."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, b"".join(msgspec.json.encode(anchor) + b"\n" for anchor in anchors))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Written:
    """The anchors of a file, read line by line."""

    file: Path

    def __iter__(self) -> Iterator[Anchor]:
        with self.file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield msgspec.json.decode(line, type=Anchor)
                except msgspec.DecodeError:
                    raise BadAnchors(f"{self.file}, line {number}: this is no anchor.") from None
