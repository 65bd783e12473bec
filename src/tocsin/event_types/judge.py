"""Judging events that a worker has claimed, by the types that only warn: their stories say what is wrong."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec

from tocsin.event_types.door import BREATH
from tocsin.event_types.schema import BUDGET, Schema

KEPT_COMPILED = 256


class WarningType(msgspec.Struct):
    """A type that warns, as ``read_claimed`` gives it."""

    name: str
    schema: msgspec.Raw
    weight: int


class Claimed(Protocol):
    """An event as it was claimed; ``payload`` is JSON."""

    @property
    def id(self) -> UUID: ...
    @property
    def type(self) -> str: ...
    @property
    def payload(self) -> msgspec.Raw: ...


class Judge:
    """Remembers what it compiled."""

    def __init__(self) -> None:
        self._compiled: dict[bytes, Schema] = {}

    async def faults(
        self, types: Sequence[WarningType], events: Sequence[Claimed]
    ) -> Mapping[UUID, list[dict[str, Any]]]:
        """What is wrong with events of these types; an event that fits is absent."""
        by_name = {each.name: self._schema(each) for each in types}
        found: dict[UUID, list[dict[str, Any]]] = {}
        judged = 0
        for event in events if by_name else ():
            if (schema := by_name.get(event.type)) is None:
                continue
            size = len(bytes(event.payload))
            if faults := schema.faults(_decoded(event.payload), size):
                found[event.id] = [fault.as_json() for fault in faults]
            judged += min(schema.cost(size), BUDGET)
            if judged > BREATH:
                judged = 0
                await asyncio.sleep(0)
        return found

    def _schema(self, warning: WarningType) -> Schema:
        text = bytes(warning.schema)
        if text not in self._compiled:
            if len(self._compiled) >= KEPT_COMPILED:
                self._compiled.clear()
            self._compiled[text] = Schema(text, warning.weight)
        return self._compiled[text]


def _decoded(payload: msgspec.Raw) -> Any:
    """Decoded JSON; only the slower reader takes a number of hundreds of digits."""
    try:
        return msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return json.loads(bytes(payload))
