"""The floor of batches: the same rows into the same tables and key index by plain grouped inserts.

``python -m bench.plain_inserts`` with a JSON of `Task` on stdin writes groups for some seconds, over several
connections, as the superuser whom no row-level security slows down, and prints an `Inserted`.
"""

import asyncio
import sys
import time
from itertools import count
from uuid import UUID

import asyncpg
import msgspec

from bench.events import PAYLOAD_TEXT, TYPE
from tocsin.kit.ids import new_id

_EVENTS = """
INSERT INTO tocsin.events (project_id, id, env, type, payload, source, client_event_id)
SELECT $1, s.id, 'live', s.type, s.payload::json, s.source, s.key
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[]) AS s (id, type, payload, source, key)
"""
_EVENTS_AND_KEYS = f"""
WITH keys AS (
    INSERT INTO tocsin.event_keys (project_id, env, client_event_id, event_id, body_hash)
    SELECT $1, 'live', s.key, s.id, $7 FROM unnest($2::uuid[], $6::text[]) AS s (id, key)
)
{_EVENTS}
"""
_HASH = bytes(32)


class Task(msgspec.Struct):
    """``keys`` is the start of unique keys; empty: rows without keys."""

    url: str
    project_id: UUID
    size: int
    keys: str
    connections: int
    seconds: float


class Inserted(msgspec.Struct):
    rows: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.rows / self.seconds


async def insert(task: Task) -> Inserted:
    """Run the floor in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(task.seconds + 30):
        output, _ = await process.communicate(msgspec.json.encode(task))
    return msgspec.json.decode(output, type=Inserted)


async def _insert(task: Task) -> Inserted:
    numbers = count(1)
    connections = [await asyncpg.connect(task.url) for _ in range(task.connections)]
    began = time.perf_counter()
    groups = await asyncio.gather(*(_fill(each, task, numbers, began + task.seconds) for each in connections))
    seconds = time.perf_counter() - began
    for connection in connections:
        await connection.close()
    return Inserted(sum(groups) * task.size, seconds)


async def _fill(connection: asyncpg.Connection, task: Task, numbers: "count[int]", until: float) -> int:
    """Insert group after group; how many."""
    types, payloads, sources = [TYPE] * task.size, [PAYLOAD_TEXT] * task.size, ["shop"] * task.size
    groups = 0
    while time.perf_counter() < until:
        ids = [new_id() for _ in range(task.size)]
        keys = [f"{task.keys}-{next(numbers)}" if task.keys else None for _ in ids]
        values = (task.project_id, ids, types, payloads, sources, keys)
        if task.keys:
            await connection.execute(_EVENTS_AND_KEYS, *values, _HASH)
        else:
            await connection.execute(_EVENTS, *values)
        groups += 1
    return groups


if __name__ == "__main__":
    done = asyncio.run(_insert(msgspec.json.decode(sys.stdin.buffer.read(), type=Task)))
    sys.stdout.buffer.write(msgspec.json.encode(done))
