"""Conditions of rules: CEL, checked when saved, evaluated with a verdict in words.

``check`` is safe in any process (milliseconds at worst: the text is short and only compiled). ``evaluate``
belongs in the child behind `evaluator.Evaluator`, because cel-cpp holds the GIL and a hostile condition can
take seconds and a gigabyte in spite of the limits here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import re2
from cel_expr_python import cel

from tocsin.kit.errors import FieldError
from tocsin.rules.cel_tokens import Call, Token, calls, paths, tokens
from tocsin.rules.cel_words import compile_errors, positioned, runtime_reason

MAX_LENGTH = 1_000
"""Characters. Bounds what repetition of a large field can cost: ``payload.s + payload.s + ...``."""
MAX_MACROS = 3
MAX_DEPTH = 2
"""Macros inside each other: ``payload.items.exists(i, i.tags.exists(t, ...))`` is the deepest."""
REGEX_MEMORY = 1 << 20

ROOTS = frozenset({"event", "payload", "user"})
EVENT_FIELDS = ("id", "type", "source", "timestamp", "payload")

_AMPLIFIERS = {"map", "replace", "join", "format", "split", "bind", "transformList", "transformMap", "range"}
_CLOCK = {"getHours", "getMinutes", "getDayOfWeek", "getDate", "getDayOfMonth", "getMonth", "getFullYear"}
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds and why, in words for the trace.

    ``error`` marks an evaluation that went wrong (types, division, overflow, too many steps); a field that
    is not there is an ordinary reason not to match.
    """

    matched: bool
    reason: str
    error: bool = False


def check(expression: str | None, pointer: str = "/condition") -> list[FieldError]:
    """What is wrong with a condition, by position; empty when it can be saved. None is always true."""
    if is_empty(expression):
        return []
    assert expression is not None
    if len(expression) > MAX_LENGTH:
        return [_too_long(expression, pointer)]
    if not _is_text(expression):
        return [FieldError(pointer, "syntax", "The condition holds something that is no character.")]
    stream = tokens(expression)
    return (
        [*_beyond_limits(expression, stream, pointer)]
        or _not_compiling(expression, pointer)
        or [*_surely_wrong(expression, stream, pointer)]
    )


def is_empty(expression: str | None) -> bool:
    return expression is None or not expression.strip()


def _is_text(expression: str) -> bool:
    try:
        expression.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in expression


def _too_long(expression: str, pointer: str) -> FieldError:
    words = f"A condition has at most {MAX_LENGTH:,} characters; this one has {len(expression):,}."
    return FieldError(pointer, "too_long", words)


def _beyond_limits(source: str, stream: Sequence[Token], pointer: str) -> Iterator[FieldError]:
    macros = 0
    for call in calls(stream):
        macros += call.is_macro
        for code, words in _excess(call, macros):
            yield positioned(pointer, code, words, source, call.name.offset)


def _excess(call: Call, macros: int) -> Iterator[tuple[str, str]]:
    name = call.name.text
    if name in _AMPLIFIERS:
        yield "not_available", f"{name}() is not available in conditions; exists(), all() and filter() are."
    elif call.is_macro and len(call.arguments) != 2:
        yield "syntax", f"{name}() takes a name and a condition, such as {name}(item, item.price > 10)."
    elif call.is_macro and [token.text in ROOTS for token in call.arguments[0]] == [True]:
        yield "name_taken", f"{call.arguments[0][0].text!r} already has a meaning: choose another name."
    elif call.is_macro and call.macros_around >= MAX_DEPTH:
        yield (
            "too_complex",
            f"At most {MAX_DEPTH} of all(), exists(), exists_one(), filter() inside each other.",
        )
    elif call.is_macro and macros == MAX_MACROS + 1:
        yield (
            "too_complex",
            f"At most {MAX_MACROS} of all(), exists(), exists_one(), filter() in a condition.",
        )


def _not_compiling(expression: str, pointer: str) -> list[FieldError]:
    try:
        compiled = _environment().compile(expression)
    except RuntimeError as error:
        return compile_errors(str(error), expression, pointer)
    returns = compiled.return_type()
    if returns in (cel.Type.BOOL, cel.Type.DYN):
        return []
    gives = returns.name().lower()
    words = f"The condition gives {gives}; it must give true or false. Compare it with something."
    return [FieldError(pointer, "not_boolean", words, 1, 1)]


def _surely_wrong(source: str, stream: Sequence[Token], pointer: str) -> Iterator[FieldError]:
    """Mistakes the compiler cannot see: to it, fields and regular expressions are known only at run time."""
    for path in paths(stream, frozenset({"event"})):
        if len(path) > 1 and literal_key(path[1]) not in EVENT_FIELDS:
            words = f"An event has no field {literal_key(path[1])!r}; it has {', '.join(EVENT_FIELDS)}."
            yield positioned(pointer, "unknown_name", words, source, path[1].offset)
    for index, token in enumerate(stream):
        if token.text in _CLOCK and [t.text for t in stream[max(0, index - 4) : index]] == _EVENT_TIMESTAMP:
            words = f"event.timestamp is a text: write timestamp(event.timestamp).{token.text}()."
            yield positioned(pointer, "wrong_types", words, source, token.offset)
    for call in calls(stream):
        complaint = _regex_error(call.arguments[-1]) if call.name.text == "matches" else None
        if complaint:
            yield positioned(pointer, "invalid_regex", complaint, source, call.arguments[-1][0].offset)


_EVENT_TIMESTAMP = ["event", ".", "timestamp", "."]


def _regex_error(argument: Sequence[Token]) -> str | None:
    """Why RE2 refuses a pattern written as literals; None for a good one and for one made at run time."""
    if [token.kind for token in argument[::2]] != ["string"] * len(argument[::2]) or not argument:
        return None
    if any(token.text != "+" for token in argument[1::2]):
        return None
    options = re2.Options()
    options.max_mem, options.log_errors = REGEX_MEMORY, False
    try:
        re2.compile("".join(_literal(token.text) for token in argument[::2]), options)
    except re2.error as error:
        words = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        return f"The regular expression is invalid or too large: {words}."
    return None


def _literal(text: str) -> str:
    """The value of a CEL string literal, read by CEL itself."""
    value = _environment().compile(text).eval(data={}).value()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def literal_key(step: Token) -> str | int:
    """The name or number by which a step of a path takes a member."""
    if step.kind == "string":
        return _literal(step.text)
    return int(step.text) if step.text.isdigit() else step.text.strip("`")


class Facts:
    """One event as conditions see it, converted for CEL once and shared by all conditions of the event.

    Everything must be decoded JSON: CEL knows no Decimal, date, tuple or set. An integer beyond 64 bits
    would spoil the whole payload, so a payload that holds one is converted again with those as doubles.
    """

    def __init__(self, event: Mapping[str, Any], payload: Mapping[str, Any], user: Mapping[str, Any] | None) -> None:
        fields = {name: event.get(name) for name in EVENT_FIELDS}
        self.roots: dict[str, Any] = {
            "event": fields | {"payload": payload},
            "payload": payload,
            "user": user,
        }

    @cached_property
    def activation(self) -> Any:
        return _environment().Activation(self.roots)

    def narrow(self) -> None:
        """Turn integers that CEL cannot hold into doubles, as JSON readers do."""
        payload = _narrowed(self.roots["payload"])
        event = self.roots["event"] | {"payload": payload}
        self.roots = {"event": event, "payload": payload, "user": _narrowed(self.roots["user"])}
        self.__dict__.pop("activation", None)


def _narrowed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _narrowed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_narrowed(item) for item in value]
    if isinstance(value, int) and not _INT64_MIN <= value <= _UINT64_MAX:
        return _as_double(value)
    return value


def _as_double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


class Condition:
    """A compiled condition. Raises ValueError for one that `check` refuses to compile."""

    def __init__(self, expression: str | None) -> None:
        self._source = "" if is_empty(expression) else str(expression)
        self._program = _compiled(self._source) if self._source else None

    def evaluate(self, facts: Facts) -> Verdict:
        """The verdict for an event; never raises on account of the data."""
        if self._program is None:
            return Verdict(True, "no condition")
        value = _value(self._program, facts)
        if value is True:
            return Verdict(True, "condition is true")
        if value is False:
            return Verdict(False, "condition is false")
        if isinstance(value, _Failure):
            return self._explained(value.message, facts)
        return Verdict(False, f"the condition gives {_kind(value)}, not true or false", error=True)

    def _explained(self, message: str, facts: Facts) -> Verdict:
        if "Key not found" in message or "Applying SELECT" in message:
            for path in paths(tokens(self._source), ROOTS):
                if absent := _absence(path, facts, message):
                    return absent
        return Verdict(False, runtime_reason(message), error="Key not found" not in message)


@dataclass(frozen=True, slots=True)
class _Failure:
    message: str


def _value(program: Any, facts: Facts) -> Any:
    """What a program gives: a Python value or a failure. CEL returns most errors and raises a few."""
    try:
        value = program.eval(facts.activation)
        if value.type() == cel.Type.ERROR and "out of range for" in str(value.value()):
            facts.narrow()
            value = program.eval(facts.activation)
        return _Failure(str(value.value())) if value.type() == cel.Type.ERROR else value.value()
    except RuntimeError as error:
        return _Failure(str(error))


def _absence(path: tuple[Token, ...], facts: Facts, message: str) -> Verdict | None:
    """The verdict about the first step of a path that the data cannot follow; None when it can follow all."""
    value, walked = facts.roots[path[0].text], path[0].text
    for step in path[1:]:
        key = literal_key(step)
        here = f"{walked}.{key}" if isinstance(key, str) and key.isidentifier() else f"{walked}[{json.dumps(key)}]"
        if value is None:
            return Verdict(False, _nothing_there(walked, here))
        if isinstance(value, dict) and key not in value:
            return Verdict(False, f"{here} is missing") if f'"{key}"' in message else None
        if isinstance(value, (str, bool, int, float)) or (isinstance(value, list) and isinstance(key, str)):
            return Verdict(False, f"{walked} is {_kind(value)}, so {here} cannot be read", error=True)
        if isinstance(value, list) and not (isinstance(key, int) and key < len(value)):
            return None
        value, walked = value[key], here
    return None


def _nothing_there(walked: str, here: str) -> str:
    if walked == "user":
        return f"no user is known for this event, so {here} is missing"
    return f"{walked} is null, so {here} is missing"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "an object"
    return f"a {type(value).__name__}"


def _compiled(expression: str) -> Any:
    try:
        return _environment().compile(expression)
    except RuntimeError as error:
        raise ValueError(compile_errors(str(error), expression, "/condition")[0].detail) from error


@cache
def _environment() -> Any:
    """The names conditions see. ``type`` cannot be one of them: it is CEL's own function."""
    kinds = cel.Type
    fields = kinds.Map(kinds.STRING, kinds.DYN)
    return cel.NewEnv(variables={"event": fields, "payload": fields, "user": kinds.DYN})
