import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.event_types.names import MAX_TYPE_LENGTH, valid_event_type
from tocsin.rules.matching import patterns_for, valid_pattern, widest

segments = st.text("abcXYZ019_-", min_size=1, max_size=8)
event_types = st.lists(segments, min_size=1, max_size=6).map(".".join)


@pytest.mark.parametrize("text", ["order", "order.created", "Order_2.item-added", "a" * MAX_TYPE_LENGTH])
def test_dotted_names_are_event_types(text: str) -> None:
    assert valid_event_type(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "a..b", ".a", "a.", "a b", "a\n", "\na", "a.b\n", "*", "a.*", "a/b", "a:b", "a\0"),
        *("a" * 300, "ordér", "ｏｒｄｅｒ", "order.😀", "١٢", "a\u200bb", "a'--"),
    ],
)
def test_anything_else_is_not_an_event_type(text: str) -> None:
    assert not valid_event_type(text)


@pytest.mark.parametrize("text", ["*", "order.*", "order.item.*", "order.created"])
def test_patterns_are_exact_or_end_in_a_star(text: str) -> None:
    assert valid_pattern(text)


@pytest.mark.parametrize("text", ["", "**", ".*", "*.*", "order*", "*.created", "a.*.b", "order.**", "order.*\n"])
def test_a_star_stands_nowhere_else(text: str) -> None:
    assert not valid_pattern(text)


def test_patterns_of_a_type_go_from_exact_to_star() -> None:
    assert patterns_for("order.item.added") == ["order.item.added", "order.item.*", "order.*", "*"]
    assert patterns_for("order") == ["order", "*"]


def test_what_is_tocsins_own_is_for_those_who_name_it() -> None:
    assert patterns_for("tocsin.quota.warning") == ["tocsin.quota.warning", "tocsin.quota.*", "tocsin.*"]
    assert patterns_for("tocsins.own") == ["tocsins.own", "tocsins.*", "*"]
    assert widest(["*", "tocsin.*", "tocsin.quota.*", "order.*"]) == ["*", "tocsin.*"]


@given(event_types)
def test_every_pattern_of_a_type_is_valid_and_named_once(event_type: str) -> None:
    patterns = patterns_for(event_type)
    assert all(valid_pattern(pattern) for pattern in patterns)
    assert len(set(patterns)) == len(patterns) == event_type.count(".") + 2


@given(event_types, event_types)
def test_a_prefix_pattern_is_listed_exactly_when_the_type_starts_with_it(event_type: str, prefix: str) -> None:
    assert (f"{prefix}.*" in patterns_for(event_type)) == event_type.startswith(prefix + ".")


related_types = st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(".".join)
related_patterns = related_types.flatmap(lambda type_: st.sampled_from(patterns_for(type_)))


@given(st.lists(related_patterns, min_size=1, unique=True), related_types)
def test_the_widest_patterns_match_the_same_types_each_by_one_of_them(patterns: list[str], type_: str) -> None:
    matching = set(patterns_for(type_))
    assert len(matching & set(widest(patterns))) == bool(matching & set(patterns))
