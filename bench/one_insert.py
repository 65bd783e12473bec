"""What most would write first: a FastAPI route that stores each event by an insert and a commit of its own.

The table has the columns and indexes of ``tocsin.events`` and nothing else: no row-level security, no partitions, no
key of the client's to look for. Nor does the route ask who is calling. ``python -m bench.one_insert PORT DSN`` runs it
as a process of its own, served as the API is served.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from fastapi import FastAPI, Request
from pydantic import BaseModel

from bench.serving import serve, served
from tocsin.kit.ids import new_id

CONNECTIONS = 8
"""Of its pool. With 16 or 32 it was slower."""
TABLE = """
CREATE SCHEMA IF NOT EXISTS bench;
CREATE TABLE IF NOT EXISTS bench.events (LIKE tocsin.events INCLUDING ALL);
"""
_INSERT = """
INSERT INTO bench.events (project_id, id, env, type, payload, source, client_event_id)
VALUES ($1, $2, 'live', $3, $4, $5, $6)
"""
_PROJECT = UUID(int=1)


class Event(BaseModel):
    type: str
    payload: dict[str, Any]
    source: str | None = None
    clientEventId: str | None = None


class Accepted(BaseModel):
    id: UUID
    status: str


def one_insert(dsn: str) -> AbstractAsyncContextManager[tuple[str, int]]:
    """Its URL and process id, once it answers."""
    return served(__name__, dsn)


def _app(dsn: str) -> FastAPI:
    app = FastAPI(lifespan=_opened)
    app.state.dsn = dsn
    app.add_api_route("/", _take, methods=["POST"], status_code=202)
    return app


@asynccontextmanager
async def _opened(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(app.state.dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        await pool.execute(TABLE)
        app.state.pool = pool
        yield


async def _take(request: Request, event: Event) -> Accepted:
    id_, payload = new_id(), msgspec.json.encode(event.payload).decode()
    async with request.app.state.pool.acquire() as connection, connection.transaction():
        await connection.execute(_INSERT, _PROJECT, id_, event.type, payload, event.source, event.clientEventId)
    return Accepted(id=id_, status="received")


if __name__ == "__main__":
    serve(_app(sys.argv[2]), int(sys.argv[1]))
