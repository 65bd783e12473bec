"""What is asked of the child in one exchange: so little that nobody waits long for whoever came before."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from tocsin.rules.jobs import Event, RuleSource

Item = TypeVar("Item")


class Most(NamedTuple):
    """Of one piece: conditions and templates; bytes of payloads and characters of rules' texts."""

    steps: int
    size: int


def cut(items: Iterable[Item], most: Most, asked: Callable[[Item], tuple[Event, RuleSource]]) -> Iterator[list[Item]]:
    """Neighbours that are few and small enough together; an item that is too large has a piece of its own.

    ``asked`` names what travels for an item. An event or a rule that several of a piece share travels once, and so
    weighs once.
    """
    piece: list[Item] = []
    steps = size = 0
    there: set[int] = set()
    for item in items:
        event, rule = asked(item)
        steps += 1 + len(rule.templates)
        size += _weight(event, rule, there)
        if piece and (steps > most.steps or size > most.size):
            yield piece
            piece, there = [], set()
            steps, size = 1 + len(rule.templates), _weight(event, rule, there)
        piece.append(item)
    if piece:
        yield piece


def _weight(event: Event, rule: RuleSource, there: set[int]) -> int:
    """What an item adds to those that are there already; from now on it is there too."""
    weight = 0
    if id(event) not in there:
        there.add(id(event))
        weight += len(event.payload)
    if id(rule) not in there:
        there.add(id(rule))
        weight += len(rule.condition or "") + sum(map(len, rule.templates.values()))
    return weight
