"""Which fields a schema knows: what a condition may ask of an event (E7)."""

from collections.abc import Iterator, Sequence
from typing import Any

import re2

from tocsin.event_types.parts import MEETING, Schema, parts, referred

MOST_LOOKED_AT = 20_000
"""Schemas; of what is larger every field is taken to be known."""


def knows(root: Schema, path: Sequence[str | int]) -> bool:
    """Whether a payload of this schema may have the field at a path.

    An object is taken to have the fields that it declares; one that declares none, or describes others by pattern,
    may have any.
    """
    level: list[Schema] = [root]
    looked_at = 0
    for step in path:
        below: dict[int, Schema] = {}
        for schema in level:
            places = list(_same_place(root, schema, set()))
            found = [inside for place in places for inside in _below(place, step)]
            looked_at += 1 + len(places)
            if looked_at > MOST_LOOKED_AT or not (found or any(_declares(place, step) for place in places)):
                return True
            below |= {id(inside): inside for inside in found}
        level = list(below.values())
    return bool(level)


def _same_place(root: Schema, schema: Schema, seen: set[int]) -> Iterator[dict[str, Any]]:
    """The schema and all that look at the same value."""
    if not isinstance(schema, dict) or id(schema) in seen:
        return
    seen.add(id(schema))
    yield schema
    if (target := referred(root, schema)) is not None:
        yield from _same_place(root, target, seen)
    for part in parts(schema):
        if MEETING[part.keyword] == "same":
            yield from _same_place(root, part.schema, seen)


def _below(schema: dict[str, Any], step: str | int) -> list[Schema]:
    """The schemas of one member, as this one describes it."""
    if isinstance(step, int):
        return [part.schema for part in parts(schema) if part.keyword in ("items", "prefixItems")]
    found = [part.schema for part in parts(schema) if part.keyword == "properties" and part.key == step]
    found += [
        part.schema for part in parts(schema) if part.keyword == "patternProperties" and _fits(str(part.key), step)
    ]
    more = schema.get("additionalProperties")
    if not found and more is not False and more is not None:
        found.append(more)
    return found


def _fits(pattern: str, name: str) -> bool:
    try:
        return re2.search(pattern, name) is not None
    except re2.error:
        return True  # the validator's engine takes a little more


def _declares(schema: dict[str, Any], step: str | int) -> bool:
    """Whether it says which members there are, so that this one is none of them."""
    if isinstance(step, int):
        return False
    return "properties" in schema or schema.get("additionalProperties") is False
