"""A link over PostgreSQL ``LISTEN/NOTIFY``: one direct connection that listens, sends and holds roles.

Every process hears one channel and filters for itself, so several messages share a notification.
Layout of a payload: a number, because the server merges equal payloads of one transaction, then per message a
line ``<channel> <base64>``.
"""

import asyncio
import base64
import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar

import asyncpg

from tocsin.kit.broker.link import Frame, Link, Receive

_CHANNEL = "tocsin"
_PAYLOAD_LIMIT = 7_999
"""Bytes; a server in its default configuration refuses 8000 (PostgreSQL, page of NOTIFY)."""
_NUMBER_ROOM = 16

_HOLDERS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32 | objid::bigint) = $1
"""
"""A lock of one 64-bit number is listed as its two halves (PostgreSQL, page of pg_locks)."""


class PostgresLink(Link):
    errors: ClassVar = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
    max_message_bytes: ClassVar = 5_700  # in base64, behind the longest channel name, it still fits a payload
    pace: ClassVar = 0.003  # 300 notifications a second at most; at 10 ms it was the longest wait of an event's way

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Any = None
        self._lost = asyncio.Event()
        self._busy = asyncio.Lock()
        self._receive: Receive
        self._wanted: set[str] = set()
        self._number = 0

    async def open(self, receive: Receive) -> None:
        self._receive = receive
        self._wanted.clear()
        self._lost = asyncio.Event()
        self._connection = await asyncpg.connect(
            self._dsn,
            timeout=3,
            server_settings={
                "application_name": "tocsin broker",
                "synchronous_commit": "off",  # a notification is in no log, so there is nothing to wait for
            },
        )
        lost = self._lost
        self._connection.add_termination_listener(lambda _: lost.set())
        await self._connection.add_listener(_CHANNEL, self._notified)

    async def run(self) -> None:
        await self._lost.wait()
        raise ConnectionError("PostgreSQL closed the listening connection")

    async def listen(self, channels: Collection[str]) -> None:
        self._wanted.update(channels)

    async def unlisten(self, channel: str) -> None:
        self._wanted.discard(channel)

    async def send(self, frames: Sequence[Frame]) -> None:
        payloads = list(self._packed(frames))
        async with self._busy:
            await self._connection.execute(
                "select pg_notify($1, p) from unnest($2::text[]) with ordinality as u (p, n) order by n",
                _CHANNEL,
                payloads,
            )

    async def claim(self, name: str) -> bool:
        async with self._busy:
            return bool(await self._connection.fetchval("select pg_try_advisory_lock($1)", _lock_key(name)))

    async def holders(self, name: str) -> int:
        async with self._busy:
            return int(await self._connection.fetchval(_HOLDERS, _lock_key(name)))

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed():
            return
        try:
            await connection.close(timeout=0.5)
        except self.errors:
            connection.terminate()

    def _packed(self, frames: Sequence[Frame]) -> Iterator[str]:
        lines: list[str] = []
        size = _NUMBER_ROOM
        for channel, message in frames:
            line = f"\n{channel} {base64.b64encode(message).decode()}"
            if size + len(line) > _PAYLOAD_LIMIT:
                yield self._numbered(lines)
                lines, size = [], _NUMBER_ROOM
            lines.append(line)
            size += len(line)
        yield self._numbered(lines)

    def _numbered(self, lines: list[str]) -> str:
        self._number += 1
        return f"{self._number:x}{''.join(lines)}"

    def _notified(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        for line in payload.split("\n")[1:]:
            channel, _, encoded = line.partition(" ")
            if channel in self._wanted:
                self._receive(channel, base64.b64decode(encoded))


def _lock_key(name: str) -> int:
    """A role's advisory lock: 64 bits, signed, far from the small numbers people pick by hand."""
    return int.from_bytes(hashlib.sha256(f"tocsin role {name}".encode()).digest()[:8], "big", signed=True)
