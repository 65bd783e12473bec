"""Values in style sheets that strangers wrote: judged by the rules of CSS, never searched as text."""

from collections.abc import Iterator
from typing import Any, NamedTuple

DEEPEST = 8
"""Brackets within brackets of a value."""

LOOKS = (
    frozenset({"color", "background-color", "opacity", "box-shadow", "text-shadow", "line-height", "letter-spacing"})
    | {"font-family", "font-size", "font-style", "font-weight", "text-align", "text-decoration", "text-transform"}
    | {"padding", "padding-top", "padding-right", "padding-bottom", "padding-left", "gap"}
    | {"border", "border-color", "border-radius", "border-style", "border-width"}
    | {"border-top", "border-right", "border-bottom", "border-left", "outline-color", "accent-color", "caret-color"}
)
"""Properties of look, not of place."""

_FUNCTIONS = frozenset({"rgb", "rgba", "hsl", "hsla", "oklch", "calc", "min", "max", "clamp"})
_PLAIN = frozenset({"ident", "number", "dimension", "percentage", "hash", "whitespace", "comment"})


class Mistake(NamedTuple):
    """A token of tinycss2 that is not taken, and why."""

    token: Any
    code: str
    detail: str


def mistakes(token: Any, depth: int = 0) -> Iterator[Mistake]:
    """What is not taken in a token of a value: addresses, since they would be fetched, blocks, and functions other
    than those of colour and measure."""
    if depth > DEEPEST:
        yield Mistake(token, "css_too_deep", f"Values nest {DEEPEST} levels deep at most.")
    elif token.type == "function":
        if token.lower_name not in _FUNCTIONS:
            yield Mistake(token, "css_function", f"The function {token.name[:40]}() is not taken.")
        for inner in token.arguments:
            yield from mistakes(inner, depth + 1)
    elif token.type == "() block":
        for inner in token.content:
            yield from mistakes(inner, depth + 1)
    elif token.type == "string":
        # A style sheet stands inside a page, where this would end it.
        if "<" in token.value:
            yield Mistake(token, "css_value", "A text may not contain <.")
    elif token.type == "literal":
        if token.value not in (",", "/", "+", "-", "*"):
            yield Mistake(token, "css_value", f"{token.value[:10]} is not taken in a value.")
    elif token.type not in _PLAIN:
        yield Mistake(token, "css_value", "Addresses and blocks are not taken in a value.")
