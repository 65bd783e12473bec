"""Liquid source split into text, outputs and tags, in time linear in its length.

python-liquid's own scanner is a regular expression that takes minutes for 64 KiB of ``{{`` or of spaces,
and it runs whenever a template is saved, so ours takes its place. It yields the token kinds that
python-liquid 2.3.6's parser reads, points at blocks that are never closed, and leaves comments out.
"""

import re
from collections.abc import Iterator

from liquid.exceptions import LiquidSyntaxError
from liquid.token import TOKEN_CONTENT, TOKEN_EXPRESSION, TOKEN_OUTPUT, TOKEN_TAG, Token

MAX_MARKUP = 1_000
"""Characters between ``{{`` and ``}}``: the scanner of expressions may take quadratic time."""

BLOCKS = frozenset({"if", "unless", "case", "for", "capture", "ifchanged"})

_MARKUP = re.compile(r"\{[{%]")
_TAG_NAME = re.compile(r"\s*(#|\w+)")
_COMMENT_EDGE = re.compile(r"\{%-?\s*(comment|endcomment)\b[^%]*%\}")
_RAW_END = re.compile(r"\{%-?\s*endraw\s*-?%\}")


class Scanner:
    """Yields the tokens of one source. Raises LiquidSyntaxError, with position, for markup left open."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._trim = False
        self._open: list[Token] = []

    def tokens(self) -> Iterator[Token]:
        while markup := _MARKUP.search(self._source, self._at):
            yield from self._text(markup.start())
            if markup.group() == "{{":
                yield from self._output(markup.start())
            else:
                yield from self._tag(markup.start())
        yield from self._text(len(self._source))
        if self._open:
            name = self._open[-1].value
            raise self._error(f"'{name}' is never closed: add {{% end{name} %}}", self._open[-1])

    def _text(self, end: int) -> Iterator[Token]:
        text = self._source[self._at : end]
        text = text.lstrip() if self._trim else text
        text = text.rstrip() if self._source.startswith("-", end + 2) else text
        if text:
            yield Token(TOKEN_CONTENT, text, self._at, self._source)

    def _output(self, start: int) -> Iterator[Token]:
        inner, begins = self._inner(start, "}}")
        if not inner.strip():
            raise self._error("nothing to print between {{ and }}", self._token(TOKEN_OUTPUT, "{{", start))
        yield self._token(TOKEN_OUTPUT, "{{", start)
        yield self._expression(inner, begins)

    def _tag(self, start: int) -> Iterator[Token]:
        inner, begins = self._inner(start, "%}")
        match = _TAG_NAME.match(inner)
        if match is None:
            raise self._error("a tag needs a name after {%", self._token(TOKEN_TAG, "{%", start))
        tag = self._token(TOKEN_TAG, match[1], begins + match.start(1))
        if tag.value == "raw":
            yield from self._raw(tag)
        elif tag.value == "comment":
            self._skip_comment(tag)
        elif tag.value != "#":
            self._track(tag)
            yield tag
            if inner[match.end() :].strip():
                yield self._expression(inner[match.end() :], begins + match.end())

    def _inner(self, start: int, closing: str) -> tuple[str, int]:
        """What stands in a markup, without the dashes that trim, and where it begins."""
        opening = self._token(TOKEN_TAG, self._source[start : start + 2], start)
        end = self._source.find(closing, start + 2)
        if end < 0:
            raise self._error(f"'{opening.value}' is never closed with '{closing}'", opening)
        if end - start > MAX_MARKUP:
            raise self._error(f"at most {MAX_MARKUP:,} characters between {opening.value} and {closing}", opening)
        inner = self._source[start + 2 : end]
        begins = start + 2 + inner.startswith("-")
        self._at, self._trim = end + 2, inner.endswith("-")
        return inner.removeprefix("-").removesuffix("-"), begins

    def _raw(self, tag: Token) -> Iterator[Token]:
        end = _RAW_END.search(self._source, self._at)
        if end is None:
            raise self._error("'raw' is never closed: add {% endraw %}", tag)
        yield from self._text(end.start())
        self._at, self._trim = end.end(), end.group().endswith("-%}")

    def _skip_comment(self, tag: Token) -> None:
        depth = 1
        for edge in _COMMENT_EDGE.finditer(self._source, self._at):
            depth += 1 if edge[1] == "comment" else -1
            if not depth:
                self._at, self._trim = edge.end(), edge.group().endswith("-%}")
                return
        raise self._error("'comment' is never closed: add {% endcomment %}", tag)

    def _track(self, tag: Token) -> None:
        if tag.value in BLOCKS:
            self._open.append(tag)
        elif tag.value.removeprefix("end") in BLOCKS:
            if not self._open or self._open[-1].value != tag.value.removeprefix("end"):
                inside = f" inside '{self._open[-1].value}'" if self._open else ""
                raise self._error(f"'{tag.value}' closes nothing{inside}", tag)
            self._open.pop()
        elif tag.value in {"break", "continue"} and "for" not in [block.value for block in self._open]:
            raise self._error(f"'{tag.value}' stands outside a for loop", tag)

    def _expression(self, text: str, begins: int) -> Token:
        lead = len(text) - len(text.lstrip())
        return self._token(TOKEN_EXPRESSION, text.strip(), begins + lead)

    def _token(self, kind: str, value: str, at: int) -> Token:
        return Token(kind, value, at, self._source)

    def _error(self, words: str, token: Token) -> LiquidSyntaxError:
        return LiquidSyntaxError(words, token=token)
