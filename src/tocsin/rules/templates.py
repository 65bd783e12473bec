"""Templates of rules: Liquid, checked when saved, rendered as plain text within limits.

No escaping here: a channel escapes for its own medium. Values are printed, never read as templates.
Rendering belongs in the child behind `evaluator.Evaluator`; `check` is safe anywhere (about 0.1 s for the
largest template).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from liquid import BoundTemplate, Environment, RenderContext
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import LiquidError
from liquid.parser import get_parser
from liquid.stream import TokenStream
from liquid.token import Token
from liquid.undefined import UNDEFINED, Undefined

from tocsin.kit.errors import FieldError
from tocsin.rules.liquid_filters import limit_filters
from tocsin.rules.liquid_source import BLOCKS, Scanner

MAX_LENGTH = 64 * 1024
"""Characters of a template's source."""

NAMES = frozenset({"event", "payload", "user", "reader", "project", "branding"})
"""What a rule's templates see."""

DIGEST_NAMES = frozenset({"items", "count", "rule", "user", "project", "branding"})
"""What those of a digest see."""

ONE_LINE = {"title": 1_000, "actionUrl": 2_000}
"""Templates that print one line, and its characters at most; ``title.de`` is a title too."""
MAX_BODY = 64 * 1024
"""Bytes that any other template prints at most."""

_TAGS = BLOCKS | {"break", "continue", "assign", "cycle", "increment", "decrement"}
_NODES = {"content", "output", "illegal"}
"""Names under which python-liquid keeps text, ``{{ }}``, and unknown tags among the tags."""

_UNFORESEEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What filters raise for values their authors did not think of, such as ``"²" | plus: 1``."""


class RenderError(Exception):
    """A template could not be printed: why, and where when known (line and column from 1)."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(f"{reason} (line {line}, column {column})" if line else reason)
        self.reason, self.line, self.column = reason, line, column


@dataclass(frozen=True, slots=True)
class Rendered:
    """A printed template, and the variables that were missing where a value was printed."""

    text: str
    missing: tuple[str, ...] = ()


def check(text: str, pointer: str, names: frozenset[str] | None = NAMES) -> list[FieldError]:
    """What is wrong with a template, by position; empty when it can be saved.

    A variable whose first name is neither in ``names`` nor made by the template can never have a value and
    is refused; None allows every name.
    """
    if len(text) > MAX_LENGTH:
        return [FieldError(pointer, "too_long", f"A template has at most {MAX_LENGTH:,} characters.")]
    try:
        parsed = _environment().from_string(text)
    except LiquidError as error:
        return [FieldError(pointer, "syntax", _sentence(error), *_position(text, _start(error)))]
    return [
        FieldError(pointer, code, words, *_position(text, offset))
        for offset, code, words in sorted(_unknown_in(parsed, names))
    ]


def _unknown_in(parsed: BoundTemplate, names: frozenset[str] | None) -> Iterator[tuple[int, str, str]]:
    used = parsed.analyze(include_partials=False)
    for name, spans in used.filters.items():
        if name not in parsed.env.filters:
            yield spans[0].index, "unknown_filter", f"There is no filter {name!r}."
    for name, found in used.globals.items():
        if names is not None and name not in names:
            yield found[0].span.index, "unknown_name", _unknown(name, names)


def _unknown(name: str, names: frozenset[str]) -> str:
    known = ", ".join(sorted(names))
    hint = f" Did you mean payload.{name}?" if "payload" in names else ""
    return f"There is no {name!r} here: a template sees {known}.{hint}"


def _sentence(error: LiquidError) -> str:
    words = " ".join(str(error.message).split())[:200].removesuffix(".")
    begins_with_a_name = not words.partition(" ")[0].isalpha()
    return f"{words}." if begins_with_a_name else f"{words[:1].upper()}{words[1:]}."


def _start(error: LiquidError) -> int | None:
    return error.token.start_index if error.token and error.token.start_index >= 0 else None


def _position(text: str, offset: int | None) -> tuple[int | None, int | None]:
    if offset is None:
        return None, None
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def variables(text: str) -> list[str]:
    """The variables a template takes from its context, as paths such as ``payload.customer.name``, sorted.

    Raises LiquidError for a template that `check` refuses.
    """
    used = _environment().from_string(text).analyze(include_partials=False).globals
    return sorted({str(variable) for found in used.values() for variable in found})


class Template:
    """A compiled template. Raises ValueError for one that does not parse."""

    def __init__(self, text: str) -> None:
        self._text = text
        try:
            self._bound = _environment().from_string(text)
        except LiquidError as error:
            raise ValueError(_sentence(error)) from error

    def render(self, context: Mapping[str, Any]) -> Rendered:
        """The text for a context of decoded JSON; a missing variable prints nothing. Raises RenderError."""
        missing: list[str] = []
        with_sink = dict(context) | {_SINK: missing}
        try:
            printed = self._bound.render(with_sink)
        except LiquidError as error:
            raise RenderError(_sentence(error), *_position(self._text, _start(error))) from error
        except _UNFORESEEN as error:
            raise RenderError(f"The template cannot be printed with these values ({type(error).__name__}).") from error
        return Rendered(printed, tuple(dict.fromkeys(missing)))


def render(text: str, context: Mapping[str, Any]) -> str:
    """Compile and print once. Raises ValueError or RenderError."""
    return Template(text).render(context).text


def fitted(name: str, text: str) -> str:
    """What a template named ``title``, ``message``, ``actionUrl`` or ``title.de`` printed, fit to deliver.

    One-line texts lose line breaks and outer spaces, so that no title can add a mail header. Raises
    RenderError beyond the limit rather than cutting silently.
    """
    text = text.replace("\0", "\ufffd")  # which url_decode may print, and no database keeps
    limit = ONE_LINE.get(name.partition(".")[0])
    if limit is None:
        if len(text.encode("utf-8", "surrogatepass")) > MAX_BODY:
            raise RenderError(f"{name} is longer than {MAX_BODY // 1024} KiB.")
        return text
    line = " ".join(text.splitlines()).strip()
    if name.startswith("actionUrl") and _RUNS_CODE.match(line):
        raise RenderError(f"{name} begins with a scheme that runs code or reads files where it is opened.")
    if len(line) > limit:
        raise RenderError(f"{name} has {len(line):,} characters; at most {limit:,} are allowed.")
    return line


_RUNS_CODE = re.compile(r"[\s\x00-\x1f]*(javascript|vbscript|data|blob|file)[\s\x00-\x1f]*:", re.IGNORECASE)

_SINK = "\0missing"
"""A name no template can write, under which the list of missing variables travels in the context."""


class _Missing(Undefined):
    """A variable without a value: prints nothing, and is noted when it is printed."""

    __slots__ = ("sink",)

    def __init__(self, path: str, sink: list[str], token: Token | None) -> None:
        super().__init__(path, token=token)
        self.sink = sink

    def __str__(self) -> str:
        self.sink.append(self.name)
        return ""


class _Context(RenderContext):
    """Gives missing variables their whole path, which python-liquid shortens to the first name."""

    def get(self, path: list[object], *, token: Token | None, default: object = UNDEFINED) -> object:
        value = super().get(path, token=token, default=_ABSENT)
        if value is not _ABSENT:
            return value
        if default is not UNDEFINED:
            return default
        sink = self.globals[_SINK]
        assert isinstance(sink, list)
        return _Missing(".".join(map(str, path)), sink, token)


_ABSENT = object()


class _PlainOutputNode(OutputNode):
    """Prints objects and lists as JSON instead of in Python's notation."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: Any) -> int:
        value = self.expression.evaluate(context)
        if isinstance(value, (dict, list, tuple)):
            return int(buffer.write(msgspec.json.encode(value, enc_hook=str).decode()))
        return super().render_to_output(context, buffer)


class _PlainOutput(Output):
    node_class = _PlainOutputNode


class _Bound(BoundTemplate):
    context_class = _Context


class _Liquid(Environment):
    """Liquid without files, with our scanner, few tags, and limits on every way to grow."""

    block_nesting_limit = 20
    context_depth_limit = 20
    loop_iteration_limit = 10_000
    local_namespace_limit = 200_000
    output_stream_limit = 200_000
    template_class = _Bound

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=False)
        self.add_tag(_PlainOutput)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS | _NODES}
        limit_filters(self)

    def _parse(self, source: str) -> list[Any]:
        stream = TokenStream(Scanner(source).tokens())
        try:
            return get_parser(self).parse(stream)
        except LiquidError as error:
            if _start(error) is None and stream.tokens:
                error.token = stream.tokens[min(stream.pos, len(stream.tokens) - 1)]
            raise


@cache
def _environment() -> Environment:
    return _Liquid()
