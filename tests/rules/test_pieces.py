"""Long lists are cut where what travels gets too much, and nothing is lost or turned round."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tocsin.rules.jobs import Event, RuleSource
from tocsin.rules.pieces import Most, cut

EVENTS = [Event(f"e{n}", "order.created", "", "2026-05-04T10:00:00Z", b"x" * (10 * n)) for n in range(4)]
RULES = [RuleSource(f"r{n}", "c" * n, {f"t{m}": "t" * n for m in range(n)}) for n in range(4)]
MOST = Most(steps=6, size=45)

asked = st.tuples(st.sampled_from(EVENTS), st.sampled_from(RULES))


def steps(piece: list[tuple[Event, RuleSource]]) -> int:
    return sum(1 + len(rule.templates) for _, rule in piece)


def size(piece: list[tuple[Event, RuleSource]]) -> int:
    events = {event.id: len(event.payload) for event, _ in piece}
    rules = {rule.rule_id: len(rule.condition or "") + sum(map(len, rule.templates.values())) for _, rule in piece}
    return sum(events.values()) + sum(rules.values())


@given(st.lists(asked, max_size=40))
def test_pieces_are_as_long_as_may_be(items: list[tuple[Event, RuleSource]]) -> None:
    pieces = list(cut(items, MOST, lambda item: item))
    assert [item for piece in pieces for item in piece] == items
    for piece in pieces:
        assert len(piece) == 1 or (steps(piece) <= MOST.steps and size(piece) <= MOST.size)
    for piece, after in pairwise(pieces):
        longer = [*piece, after[0]]
        assert steps(longer) > MOST.steps or size(longer) > MOST.size
