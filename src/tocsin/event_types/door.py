"""Judging events before they are stored, by the types that refuse what does not fit.

A process reads the refusing types of a project once and remembers them until somebody changes one: then every
process is told like of a revocation, within a second. A project without any costs a look into memory.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from tocsin.event_types.save import CHANGED
from tocsin.event_types.schema import BUDGET, Schema
from tocsin.kit.db import Database, Env
from tocsin.kit.errors import FieldError

MOST_PROJECTS = 10_000
READ_SECONDS = 5.0
MOST_CHARACTERS = 64_000_000
"""Of schemas that a process remembers; the longest unused project goes first."""
BREATH = BUDGET // 4
"""What is judged in one go, so that other requests get their turn."""

Place = tuple[UUID, Env]

# In the sandbox a type of its own stands before a live one of the same name.
_REFUSING = """
SELECT t.name, t.schema, t.weight FROM (
    SELECT DISTINCT ON (t.name) t.name, t.mode, t.schema::text AS schema, t.weight
    FROM tocsin.event_types t WHERE t.project_id = $1 ORDER BY t.name, t.env DESC) t
WHERE t.mode = 'reject'
"""


class Refusing:
    """The refusing types that this process knows."""

    def __init__(self, db: Database, trusted: Callable[[], bool]) -> None:
        """``trusted``: whether what was changed lately is known here."""
        self._db = db
        self._trusted = trusted
        self._known: OrderedDict[Place, tuple[Mapping[str, Schema], int]] = OrderedDict()
        self._characters = 0
        self._forgotten = 0
        self._reading: dict[Place, asyncio.Future[Mapping[str, Schema]]] = {}

    async def faults(
        self, project_id: UUID, env: Env, events: list[tuple[str, dict[str, Any]]]
    ) -> list[list[FieldError]]:
        """What is wrong with each event, given as type and payload, where its type refuses that."""
        types = self._remembered((project_id, env))
        if types is None:
            types = await self._read((project_id, env))
        if not types:
            return [[] for _ in events]
        found: list[list[FieldError]] = []
        judged = 0
        for type_, payload in events:
            schema = types.get(type_)
            if schema is None:
                found.append([])
                continue
            size = len(msgspec.json.encode(payload))
            found.append(schema.faults(payload, size))
            judged += min(schema.cost(size), BUDGET)
            if judged > BREATH:
                judged = 0
                await asyncio.sleep(0)
        return found

    def none(self, project_id: UUID, env: Env) -> bool:
        """Whether it is known that the project refuses nothing: the answer for nearly everybody."""
        return self._remembered((project_id, env)) == {}

    def _remembered(self, place: Place) -> Mapping[str, Schema] | None:
        known = self._known.get(place) if self._trusted() else None
        return known[0] if known else None

    async def _read(self, place: Place) -> Mapping[str, Schema]:
        """Read once for all who ask meanwhile: a busy backend asks with all its connections when a process is new."""
        reading = self._reading.get(place)
        if reading is None:
            reading = self._reading[place] = asyncio.ensure_future(self._fetch(place))
            reading.add_done_callback(lambda done: self._fetched(place, done))
        return await asyncio.shield(reading)

    def _fetched(self, place: Place, done: asyncio.Future[Mapping[str, Schema]]) -> None:
        if self._reading.get(place) is done:
            del self._reading[place]
        if not done.cancelled():
            done.exception()

    async def _fetch(self, place: Place) -> Mapping[str, Schema]:
        before = self._forgotten
        async with asyncio.timeout(READ_SECONDS), self._db.unit(*place) as connection:
            rows = await connection.fetch(_REFUSING, place[0])
        types = {row["name"]: Schema(row["schema"], row["weight"]) for row in rows}
        # What was changed while we read is read again next time.
        if before == self._forgotten:
            self._remember(place, types, sum(len(row["schema"]) for row in rows))
        return types

    def _remember(self, place: Place, types: Mapping[str, Schema], characters: int) -> None:
        self._forget(place)
        self._known[place] = types, characters
        self._characters += characters
        while len(self._known) > MOST_PROJECTS or (self._characters > MOST_CHARACTERS and len(self._known) > 1):
            self._forget(next(iter(self._known)))

    def _forget(self, place: Place) -> None:
        _, characters = self._known.pop(place, ({}, 0))
        self._characters -= characters

    def revoked(self, project_id: UUID, kind: str, _ref: str) -> None:
        """Look again where a type was changed."""
        if kind == CHANGED:
            self._look_anew()
            for env in ("live", "test"):
                self._forget((project_id, env))
        elif kind == "everything":
            self._look_anew()
            for place in list(self._known):
                self._forget(place)

    def _look_anew(self) -> None:
        """What is being read may be from before the change: nobody else waits for it, and it is not remembered."""
        self._forgotten += 1
        self._reading.clear()
