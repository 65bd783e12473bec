from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.rules.conditions import MAX_LENGTH, Condition, Facts, Verdict, check

PAYLOAD: dict[str, Any] = {
    "amount": 5000,
    "ratio": 1.5,
    "name": "Zoë",
    "zero": 0,
    "nothing": None,
    "big": 2**63 - 1,
    "unsigned": 2**64 - 1,
    "wide": 2**80,
    "list": list(range(200)),
    "mixed": ["a", 1],
    "customer": {"vip": True, "tags": ["gold", "new"]},
    "bad regex": "(",
}
EVENT = {"id": "e1", "type": "order.created", "source": "shop", "timestamp": "2026-05-04T22:30:00Z"}


def verdict(condition: str | None, user: dict[str, Any] | None = None, **payload: Any) -> Verdict:
    return Condition(condition).evaluate(Facts(EVENT, PAYLOAD | payload, user))


def mistakes(condition: str) -> list[tuple[str, int | None, int | None]]:
    return [(error.code, error.line, error.column) for error in check(condition)]


@pytest.mark.parametrize("condition", [None, "", "  \n"])
def test_no_condition_is_always_true(condition: str | None) -> None:
    assert check(condition) == []
    assert verdict(condition) == Verdict(True, "no condition")


TRUE = [
    "payload.amount > 1000 && payload.customer.vip",
    "payload.amount > 10.5 && payload.amount == 5000.0",
    "payload.amount in [1, 5000]",
    "event.type == 'order.created' && event.payload.amount == payload.amount",
    "event['source'].startsWith('sh')",
    "has(payload.amount) && !has(payload.nope)",
    "!has(payload.nope) || payload.nope > 1",
    "payload.nope > 1 || true",
    "!(payload.nope > 1 && false)",
    "payload.customer.tags.exists(t, t == 'gold')",
    "payload.list.all(n, n >= 0) && payload.list.exists_one(n, n == 7)",
    "payload.list.filter(n, n > 197).size() == 2",
    "payload.mixed.exists(m, m == 'a' || m > 5)",
    "payload.name.size() == 3 && size(payload.name) == 3",
    "payload.name.matches('^Z.*ë$') && matches(payload.name, r'\\pL+')",
    "payload.nothing == null && payload.unsigned > 1 && payload.unsigned > 1u",
    "timestamp(event.timestamp).getHours('Europe/Vienna') == 0",
    "timestamp(event.timestamp) - duration('90m') < timestamp('2026-05-04T21:30:00Z')",
    "type(payload.amount) == int && string(payload.amount) == '5000'",
    "payload.amount > 1 ? payload.zero == 0 : false",
    "7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1",
    "payload.big == 9223372036854775807",
    "payload.wide > 1e20",
    "event.payload.wide > 1e20",
    "'gold' in payload.customer.tags && 'vip' in payload.customer",
    "payload.`amount` == 5000 // a comment, even .map(x, x)",
    "payload.name != '.map(x, x)' && payload.name != \"cel.bind(\"",
    "payload.customer.tags.exists(a, payload.mixed.exists(b, b == 'a' && a == 'new'))",
]


@pytest.mark.parametrize("condition", TRUE)
def test_conditions_mean_what_cel_says(condition: str) -> None:
    assert check(condition) == []
    assert verdict(condition) == Verdict(True, "condition is true")


def test_a_false_condition_says_so() -> None:
    assert verdict("payload.amount < 10") == Verdict(False, "condition is false")


REFUSED = [
    ("1 +", "syntax", 1, 4),
    ("payload.a b", "syntax", 1, 11),
    ("payload.x\n  > && 1", "syntax", 2, 5),
    ("payload.a = 1", "syntax", 1, 11),
    ("payload.a == 1 and true", "syntax", 1, 16),
    ("payload.a == 'it's'", "syntax", 1, 18),
    ("foo > 1", "unknown_name", 1, 1),
    ("'é日本😀' + foo == ''", "unknown_name", 1, 10),
    ("secrets.key == 'x'", "unknown_name", 1, 8),
    ("now() > timestamp('2026-01-01T00:00:00Z')", "unknown_name", 1, 4),
    ("event.tpye == 'x'", "unknown_name", 1, 7),
    ("true && event['tpye'] == 'x'", "unknown_name", 1, 15),
    ("payload.a.startsWith(1)", "wrong_types", 1, 21),
    ("'a' > 1", "wrong_types", 1, 5),
    ("event.timestamp.getHours() > 3", "wrong_types", 1, 17),
    ("1 + 1", "not_boolean", 1, 1),
    ("payload.l.filter(x, x > 1)", "not_boolean", 1, 1),
    ("payload.s.matches('(')", "invalid_regex", 1, 19),
    ("payload.s.matches(r'\\d+' + '(')", "invalid_regex", 1, 19),
    ("matches(payload.s, '(?=a)')", "invalid_regex", 1, 20),
    ("payload.s.matches('(a{1000}){1000}')", "invalid_regex", 1, 19),
    ("payload.s.matches('((\\\\pL{100}){10}x){1000}')", "invalid_regex", 1, 19),
    ("payload.l.map(x, x) == [1]", "not_available", 1, 11),
    ("payload.l.map (x, x) == [1]", "not_available", 1, 11),
    ("payload.l\n  .map // hidden\n  (x, x) == [1]", "not_available", 2, 4),
    ("cel.bind(a, 1, a == 1)", "not_available", 1, 5),
    ("payload.s.replace('a', 'b') == ''", "not_available", 1, 11),
    ("payload.s.split(',').size() > 1", "not_available", 1, 11),
    ("payload.l.all(i, v, v == 1)", "syntax", 1, 11),
    ("payload.l.exists(payload, payload == 1)", "name_taken", 1, 11),
    ("payload.l.all(a, payload.l.all(b, payload.l.all(c, true)))", "too_complex", 1, 45),
    (" && ".join(["payload.l.all(a, a > 1)"] * 4), "too_complex", 1, 92),
    ("(" * 500 + "true" + ")" * 400, "too_complex", 1, 1),
    ("payload.s" + " + payload.s" * 80 + " == ''", "too_complex", 1, 1),
    ("(" * 5000, "too_long", None, None),
    ("!" * 3000 + "true", "too_long", None, None),
    ("||".join(["true"] * 2000), "too_long", None, None),
    ("payload.a == '\ud800'", "syntax", None, None),
    ("payload.a == 1\0", "syntax", None, None),
]


@pytest.mark.parametrize(("condition", "code", "line", "column"), REFUSED)
def test_a_mistake_is_refused_with_its_position(
    condition: str, code: str, line: int | None, column: int | None
) -> None:
    assert mistakes(condition)[0] == (code, line, column)
    assert all(error.pointer == "/condition" and error.detail for error in check(condition))


def test_the_words_say_how_to_fix_it() -> None:
    assert "payload.amount" in check("amount > 1")[0].detail
    assert "'=='" in check("payload.a = 1")[0].detail
    assert "timestamp(event.timestamp)" in check("event.timestamp.getHours() > 3")[0].detail


def test_a_condition_may_be_as_long_as_the_limit() -> None:
    longest = "true //".ljust(MAX_LENGTH, "x")
    assert check(longest) == []
    assert mistakes(longest + "x") == [("too_long", None, None)]


MISSING = [
    ("payload.nope > 1", "payload.nope is missing"),
    ("payload.customer.level == 'x'", "payload.customer.level is missing"),
    ("payload.customer.level.name == 'x'", "payload.customer.level is missing"),
    ("has(payload.nope.deeper)", "payload.nope is missing"),
    ("event.payload.nope == 1", "event.payload.nope is missing"),
    ("payload['a b'] == 1", 'payload["a b"] is missing'),
    ("payload.nothing.x == 1", "payload.nothing is null, so payload.nothing.x is missing"),
    ("user.name == 'Ada'", "no user is known for this event, so user.name is missing"),
    ("payload[payload.name] == 1", "field 'Zoë' is missing"),
]


@pytest.mark.parametrize(("condition", "reason"), MISSING)
def test_a_missing_field_makes_the_condition_false_and_is_named(condition: str, reason: str) -> None:
    assert check(condition) == []
    assert verdict(condition) == Verdict(False, reason)


def test_a_known_user_is_seen() -> None:
    assert verdict("user.name == 'Ada'", user={"name": "Ada"}).matched
    assert verdict("user.age > 3", user={"name": "Ada"}) == Verdict(False, "user.age is missing")


ERRORS = [
    ("1 / payload.zero == 1", "division by zero"),
    ("payload.amount % payload.zero == 1", "remainder of a division by zero"),
    ("payload.big + 1 > 0", "a number is too large for its type (int, uint: 64 bits)"),
    ("int(payload.ratio * 1e300) > 1", "a number is too large for its type (int, uint: 64 bits)"),
    ("payload.name > 1", "'>' cannot be applied to string and int"),
    ("payload.nothing > 1", "'>' cannot be applied to null and int"),
    (
        "payload.ratio * payload.amount > 1",
        "'*' needs one kind of number: convert with double(...) or int(...)",
    ),
    ("payload.amount.startsWith('a')", "startsWith(string) cannot be applied to int"),
    ("payload.name && true", "'!', '&&', '||' and '?:' need true or false, and here is something else"),
    (
        "timestamp(payload.name) > timestamp(event.timestamp)",
        "a text is not a timestamp such as 2026-05-04T10:00:00Z",
    ),
    ("duration('1e99s') > duration('1s')", "a text is not a duration such as 90s or 1h30m"),
    ("int(payload.name) > 1", "a string cannot be read as int"),
    ("payload.list[500] == 1", "index 500 is outside a list of 200"),
    ("payload.list['a'] == 1", "a list is indexed by an int, not by a string"),
    ("payload.name.first == 'Z'", "payload.name is a text, so payload.name.first cannot be read"),
    ("payload.name.matches(payload['bad regex'])", "a regular expression is invalid: missing )"),
    (
        "payload.list.all(a, payload.list.all(b, a < b || a >= b))",
        "the condition takes too many steps (10,000 at most)",
    ),
    ("payload.name", "the condition gives a text, not true or false"),
    ("payload.amount", "the condition gives a number, not true or false"),
]


@pytest.mark.parametrize(("condition", "reason"), ERRORS)
def test_what_cannot_be_computed_does_not_match_and_is_explained(condition: str, reason: str) -> None:
    assert check(condition) == []
    assert verdict(condition) == Verdict(False, reason, error=True)


def test_a_catastrophic_pattern_is_linear_in_re2() -> None:
    assert verdict("payload.name.matches('^(a+)+$')", name="a" * 100_000 + "!") == Verdict(False, "condition is false")


def test_an_unknown_engine_error_is_shortened() -> None:
    got = verdict("timestamp(event.timestamp).getHours('" + "x" * 400 + "') > 1")
    assert got.error
    assert len(got.reason) <= 200


def test_a_condition_that_does_not_compile_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="There is no 'foo' here"):
        Condition("foo > 1")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=8,
)
CONDITIONS = [Condition(text) for text in TRUE + [text for text, _ in ERRORS + MISSING]]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*PAYLOAD, "nope"]), json_values))
def test_no_payload_makes_an_evaluation_raise(payload: dict[str, Any]) -> None:
    facts = Facts(EVENT, payload, None)
    for condition in CONDITIONS:
        got = condition.evaluate(facts)
        assert isinstance(got.matched, bool)
        assert 0 < len(got.reason) <= 300


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=" \n.()[]{}'\"`/\\rbpayloduser.event&|!<>=+-*?:,0123mapxist", max_size=60))
def test_no_text_makes_the_check_raise_and_what_passes_compiles(text: str) -> None:
    if not check(text):
        Condition(text)
