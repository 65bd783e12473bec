"""CEL source as tokens: enough of the grammar to find macros, regex literals and field paths.

The compiler reports types and syntax but not what an expression costs, and its macros are gone after
parsing. Tokens keep us from being fooled by string literals, comments, and line breaks between a name and
its parenthesis. Lexical rules: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})

_TOKEN = re.compile(
    r"""
      (?P<blank>   \s+ | //[^\n]* )
    | (?P<string>  [bB]?[rR][bB]? (?: \"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\n]*" | '[^'\n]*' )
                 | [bB]? (?: \"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3}
                           | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' ) )
    | (?P<number>  0[xX][0-9a-fA-F]+[uU]? | [0-9]+ (?: \.[0-9]+ )? (?: [eE][+-]?[0-9]+ )? [uU]? )
    | (?P<name>    [A-Za-z_][A-Za-z0-9_]* | `[^`\n]*` )
    | (?P<symbol>  && | \|\| | [=!<>]= | . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of source that is not blank: its kind (string, number, name, symbol), text, and offset."""

    kind: str
    text: str
    offset: int


@dataclass(slots=True)
class Call:
    """A name with its parenthesis. ``macros_around`` counts the macros whose arguments it stands in."""

    name: Token
    receiver: bool
    macros_around: int
    arguments: list[list[Token]] = field(default_factory=lambda: [[]])

    @property
    def is_macro(self) -> bool:
        return self.receiver and self.name.text in MACROS


def tokens(source: str) -> list[Token]:
    """The tokens of a source; text that CEL would refuse becomes symbols of one character."""
    return [
        Token(str(match.lastgroup), match.group(), match.start())
        for match in _TOKEN.finditer(source)
        if match.lastgroup != "blank"
    ]


def position(source: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both from 1, columns in code points as the CEL compiler counts them."""
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)


def calls(stream: Sequence[Token]) -> list[Call]:
    """Every call of a source in the order of its opening parenthesis, with the tokens of each argument."""
    found: list[Call] = []
    open_brackets: list[Call | None] = []
    for index, token in enumerate(stream):
        if token.text in {")", "]", "}"} and open_brackets:
            open_brackets.pop()
        _hand_to_enclosing(open_brackets, token)
        if token.text in {"(", "[", "{"}:
            call = _call_at(stream, index, open_brackets)
            open_brackets.append(call)
            if call:
                found.append(call)
    return found


def _hand_to_enclosing(open_brackets: list[Call | None], token: Token) -> None:
    if open_brackets and (direct := open_brackets[-1]) and token.text == ",":
        direct.arguments.append([])
        return
    for call in open_brackets:
        if call:
            call.arguments[-1].append(token)


def _call_at(stream: Sequence[Token], index: int, open_brackets: list[Call | None]) -> Call | None:
    if stream[index].text != "(" or index == 0 or stream[index - 1].kind != "name":
        return None
    receiver = index >= 2 and stream[index - 2].text == "."
    around = sum(1 for call in open_brackets if call and call.is_macro)
    return Call(stream[index - 1], receiver, around)


def paths(stream: Sequence[Token], roots: frozenset[str]) -> Iterator[tuple[Token, ...]]:
    """Field paths written out from a root: ``payload.a["b"].c`` gives the tokens payload, a, "b", c."""
    for index, token in enumerate(stream):
        if token.text in roots and (index == 0 or stream[index - 1].text != "."):
            yield (token, *_steps(stream, index + 1))


def _steps(stream: Sequence[Token], index: int) -> Iterator[Token]:
    while index + 1 < len(stream):
        sign, step = stream[index], stream[index + 1]
        after = stream[index + 2].text if index + 2 < len(stream) else ""
        if sign.text == "." and step.kind == "name" and after != "(":
            index += 2
        elif sign.text == "[" and step.kind in {"string", "number"} and after == "]":
            index += 3
        else:
            return
        yield step
