"""What cel-cpp says about a condition, in words for the person who wrote it.

The messages are those of cel-expr-python 0.1.3 (pinned); one we do not know is passed on, shortened.
"""

import re
from collections.abc import Callable, Iterator

from tocsin.kit.errors import FieldError
from tocsin.rules.cel_tokens import position

MAX_WORDS = 200

_COMPILE_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*?)(?: \[[A-Z_]+\])?$", re.MULTILINE)
_UNDECLARED = re.compile(r"undeclared reference to '(.*?)'")
_OVERLOAD = re.compile(r"found no matching overload for '(.*?)' applied to '\((.*)\)'")
_UNEXPECTED = re.compile(
    r"Syntax error: (?:(?:mismatched|extraneous) input '(?P<input>.*?)' expecting"
    r"|no viable alternative at input '(?P<dead_end>.*)')",
    re.DOTALL,
)
_UNREADABLE = re.compile(r"Syntax error: token recognition error at: '(.*)'", re.DOTALL)
_RUNTIME_OVERLOAD = re.compile(r"No matching overloads found : (.*)")
_APPLIED = re.compile(r"^(?:\((?P<on>[^()]*)\)\.)?(?P<name>[^()]+?)(?:\((?P<args>.*)\))?$")
_TYPE_NAMES = {
    "int64": "int",
    "uint64": "uint",
    "null_type": "null",
    "google.protobuf.Timestamp": "timestamp",
}


def compile_errors(message: str, source: str, pointer: str) -> list[FieldError]:
    """The mistakes a compiler message lists, by position; one without position when it lists none."""
    found = sorted(_compile_errors(message, source, pointer), key=lambda e: (e.line or 0, e.column or 0))
    if found:
        return found
    if "recursion" in message or "size exceeds" in message:
        return [
            FieldError(
                pointer,
                "too_complex",
                "The condition is nested or chained too deeply (32 levels at most).",
                1,
                1,
            )
        ]
    return [FieldError(pointer, "invalid_condition", _shortened(message), 1, 1)]


def _compile_errors(message: str, source: str, pointer: str) -> Iterator[FieldError]:
    lines = source.split("\n")
    for line, column, words in _COMPILE_ERROR.findall(message):
        row, col = int(line), int(column)
        here = lines[row - 1][col - 1 : col] if row <= len(lines) else ""
        yield FieldError(pointer, *_explained(words, is_call=here == "("), row, col)


def _explained(words: str, *, is_call: bool) -> tuple[str, str]:
    if match := _UNDECLARED.match(words):
        return "unknown_name", _unknown(match[1], is_call=is_call)
    if match := _OVERLOAD.match(words):
        return "wrong_types", _misapplied(match[1], match[2])
    if match := _UNEXPECTED.match(words):
        return "syntax", _unexpected(match["input"] or match["dead_end"])
    if match := _UNREADABLE.match(words):
        return "syntax", _unreadable(match[1])
    return "syntax", _shortened(words)


def _unexpected(text: str) -> str:
    if text == "<EOF>":
        return "The condition ends too early."
    instead = {"and": "&&", "or": "||", "not": "!"}.get(text)
    return f"Unexpected {text!r}" + (f": write {instead}." if instead else ".")


def _unreadable(text: str) -> str:
    if text.strip() == "=":
        return "A single '=' has no meaning here: compare with '=='."
    return f"Cannot read {text!r}: is a quote missing, or a character not allowed here?"


def _unknown(name: str, *, is_call: bool) -> str:
    if is_call:
        return f"There is no function {name!r} in conditions."
    name = name.partition(".")[0]
    return f"There is no {name!r} here: a condition sees event, payload and user. Did you mean payload.{name}?"


def _misapplied(name: str, types: str) -> str:
    if name.strip("_").isidentifier():
        return f"{name}() cannot be applied to ({types})."
    return f"{_operator(name)!r} cannot be applied to {_plain_types(types)}."


def runtime_reason(message: str) -> str:
    """Why an evaluation gave no answer: a phrase without a full stop, at most 200 characters."""
    if match := _RUNTIME_OVERLOAD.search(message):
        return _shortened(_misapplied_at_run(match[1]))
    for pattern, words in _RUNTIME:
        if match := re.search(pattern, message):
            return _shortened(words(match))
    return _shortened("the condition could not be evaluated: " + message.partition(": ")[2])


def _misapplied_at_run(signature: str) -> str:
    if signature in {"<jump_condition>", "!_", "_&&_", "_||_", "@not_strictly_false"}:
        return "'!', '&&', '||' and '?:' need true or false, and here is something else"
    match = _APPLIED.match(signature)
    if match is None or match["args"] is None:
        return f"{_operator(signature)!r} cannot be applied to these values"
    types = _plain_types(match["args"])
    if match["on"] is not None:
        return f"{match['name']}({types}) cannot be applied to {_plain_types(match['on'])}"
    if "double" in types and "int" in types:
        return f"{_operator(match['name'])!r} needs one kind of number: convert with double(...) or int(...)"
    return f"{_operator(match['name'])!r} cannot be applied to {types}"


def _operator(name: str) -> str:
    return {"_?_:_": "?:", "_[_]": "[]", "@in": "in"}.get(name) or name.replace("_", "") or name


def _plain_types(types: str) -> str:
    names = [_TYPE_NAMES.get(name.strip(), name.strip()) for name in types.split(",")]
    return " and ".join(names) if len(names) == 2 and "(" not in types else ", ".join(names)


def _shortened(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= MAX_WORDS else line[: MAX_WORDS - 1] + "…"


def _says(words: str) -> Callable[[re.Match[str]], str]:
    return lambda _match: words


_RUNTIME: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    ("divide by zero", _says("division by zero")),
    ("modulus by zero", _says("remainder of a division by zero")),
    (
        "overflow|out of u?int64 range|out of range",
        _says("a number is too large for its type (int, uint: 64 bits)"),
    ),
    ("String to Timestamp", _says("a text is not a timestamp such as 2026-05-04T10:00:00Z")),
    ("String to Duration", _says("a text is not a duration such as 90s or 1h30m")),
    (r"cannot convert (\w+) to (\w+)", lambda m: f"a {m[1]} cannot be read as {m[2]}"),
    (r"conversion error from '(\w+)' to '(\w+)'", lambda m: f"a {m[1]} cannot be read as {m[2]}"),
    (r"index=(-?\d+) size=(\d+)", lambda m: f"index {m[1]} is outside a list of {m[2]}"),
    (r"expected integer type, got (\w+)", lambda m: f"a list is indexed by an int, not by a {m[1]}"),
    (r"invalid regular expression: ([^:]*)", lambda m: f"a regular expression is invalid: {m[1]}"),
    ("Iteration budget", _says("the condition takes too many steps (10,000 at most)")),
    ("Key not found in map : (.*)", lambda m: f"field {m[1].strip(chr(34))!r} is missing"),
    ("Applying SELECT", _says("a field is read from a value that has no fields")),
)


def positioned(pointer: str, code: str, words: str, source: str, offset: int) -> FieldError:
    """A mistake at an offset of the source."""
    return FieldError(pointer, code, words, *position(source, offset))
