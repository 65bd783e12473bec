"""A rule beside what is declared of its event types: fields that its condition may ask for, and an example (E7)."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.event_types.fields import knows
from tocsin.event_types.models import EventType
from tocsin.kit.errors import FieldError, Invalid
from tocsin.rules.cel_tokens import Token, paths, tokens
from tocsin.rules.cel_words import positioned
from tocsin.rules.conditions import is_empty, literal_key
from tocsin.rules.matching import patterns_for


async def unknown_fields(
    session: AsyncSession, project_id: UUID, event_types: Sequence[str], condition: str | None
) -> list[FieldError]:
    """The fields in a condition that none of the rule's event types has, as warnings.

    Raises Invalid with them where every one of its types refuses events that do not fit. Nothing is known of a rule
    for a type that is not registered.
    """
    asked = [] if is_empty(condition) else list(_asked(condition or ""))
    if not asked:
        return []
    types = [each for each in await _types(session, project_id, event_types) if each.schema is not None]
    exact = {pattern for pattern in event_types if not pattern.endswith("*")}
    if not types or exact - {each.name for each in types}:
        return []
    found = await asyncio.to_thread(lambda: list(_unknown(condition or "", asked, types)))
    if found and len(exact) == len(event_types) and all(each.mode == "reject" for each in types):
        raise Invalid(found)
    return found


async def example_for(session: AsyncSession, project_id: UUID, event_types: Sequence[str]) -> EventType:
    """The first registered type of a rule that has an example. Raises Invalid."""
    for each in await _types(session, project_id, event_types):
        if each.example is not None:
            return each
    detail = "None of the rule's event types has an example; send an event to test with."
    raise Invalid([FieldError("/event", "no_example", detail)])


async def _types(session: AsyncSession, project_id: UUID, event_types: Sequence[str]) -> list[EventType]:
    """The registered types that a rule may meet; in the sandbox its own stand before live ones of the same name."""
    query = select(EventType).where(EventType.project_id == project_id).distinct(EventType.name)
    found = await session.scalars(query.order_by(EventType.name, EventType.env.desc()))
    return [each for each in found if set(patterns_for(each.name)) & set(event_types)]


Asked = tuple[Token, list[str | int]]
"""Where in a condition a field of the payload is asked for, and its path."""


def _asked(condition: str) -> Iterator[Asked]:
    for path in paths(tokens(condition), frozenset({"event", "payload"})):
        keys = [literal_key(step) for step in path[1:]]
        if path[0].text == "payload" and keys:
            yield path[1], keys
        elif path[0].text == "event" and keys[:1] == ["payload"] and len(keys) > 1:
            yield path[2], keys[1:]


def _unknown(condition: str, asked: Sequence[Asked], types: Sequence[EventType]) -> Iterator[FieldError]:
    for token, keys in asked:
        if not any(_may_have(each, keys) for each in types):
            field = ".".join(map(str, ["payload", *keys]))
            words = f"No event type of this rule has {field}: {', '.join(each.name for each in types[:5])}."
            yield positioned("/condition", "unknown_field", words, condition, token.offset)


def _may_have(each: EventType, keys: list[str | int]) -> bool:
    schema: Any = each.schema
    return knows(schema, keys)
