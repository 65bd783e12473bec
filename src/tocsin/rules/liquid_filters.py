"""The filters of templates: python-liquid's with bounded sizes, and safer versions of a few.

A filter chain has no step limit of its own and each filter may multiply its input, so every one refuses
texts, lists and numbers beyond what a notification can need.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from liquid import Environment
from liquid.exceptions import FilterArgumentError
from liquid.filter import string_filter
from liquid.undefined import is_undefined

MAX_TEXT = 200_000
MAX_ITEMS = 10_000
MAX_UNIQUE = 1_000
"""``uniq`` compares each item with each other one."""
MAX_BITS = 256

_DROPPED = (
    "safe",
    "escapejs",
    "base64_decode",
    "base64_encode",
    "base64_url_safe_decode",
    "base64_url_safe_encode",
)
_HTML_TAG = re.compile(r"<[^<>]*>")
_MAX_DATE_FORMAT = 100

Filter = Callable[..., Any]


def limit_filters(environment: Environment) -> None:
    """Replace the filters of an environment by bounded ones."""
    for name in _DROPPED:
        del environment.filters[name]
    environment.filters |= {"date": date, "json": json, "strip_html": strip_html, "clock": clock, "number": number}
    for name, function in environment.filters.items():
        environment.filters[name] = _bounded(function, _GROWTH.get(name, _no_growth))
    environment.filters["uniq"] = _bounded(environment.filters["uniq"], _unique_growth)


def _bounded(function: Filter, growth: Callable[..., int]) -> Filter:
    """The filter, refusing large inputs and results, also results that ``growth`` foretells as too large."""

    @wraps(function)
    def bounded(value: Any, *args: Any, **kwargs: Any) -> Any:
        for given in (value, *args):
            _refuse_large(given)
        if growth(value, *args) > MAX_TEXT:
            raise FilterArgumentError(f"the result would be longer than {MAX_TEXT:,} characters", token=None)
        result = function(value, *args, **kwargs)
        _refuse_large(result)
        return result

    return bounded


def _refuse_large(value: Any) -> None:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise FilterArgumentError(f"a text longer than {MAX_TEXT:,} characters", token=None)
    if isinstance(value, (list, tuple)) and len(value) > MAX_ITEMS:
        raise FilterArgumentError(f"a list of more than {MAX_ITEMS:,} items", token=None)
    if isinstance(value, range) and value.stop - value.start > MAX_ITEMS:
        raise FilterArgumentError(f"a range of more than {MAX_ITEMS:,} numbers", token=None)
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise FilterArgumentError("a number is too large", token=None)


def _no_growth(_value: Any, *_args: Any) -> int:
    return 0


def _replace_growth(value: Any, seq: Any = "", sub: Any = "", *_more: Any) -> int:
    text, old, new = _text(value), _text(seq), _text(sub)
    return len(text) + text.count(old) * len(new)


def _join_growth(value: Any, separator: Any = " ", *_more: Any) -> int:
    items = value if isinstance(value, (list, tuple)) else ()
    longest = max((len(item) for item in items if isinstance(item, str)), default=0)
    if longest * len(items) > MAX_TEXT:
        longest = sum(len(item) for item in items if isinstance(item, str)) // len(items)
    return (longest + len(_text(separator))) * (len(value) if isinstance(value, (list, tuple, range)) else 1)


def _unique_growth(value: Any, *_more: Any) -> int:
    if isinstance(value, (list, tuple, range)) and len(value) > MAX_UNIQUE:
        raise FilterArgumentError(f"uniq takes at most {MAX_UNIQUE:,} items", token=None)
    return 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


_GROWTH: Mapping[str, Callable[..., int]] = {"replace": _replace_growth, "join": _join_growth}


@string_filter
def strip_html(value: str) -> str:
    """The text without HTML tags, in linear time."""
    return _HTML_TAG.sub("", value)


def json(value: Any) -> str:
    """The value as compact JSON; something missing is null."""
    return msgspec.json.encode(None if is_undefined(value) else value, enc_hook=str).decode()


def date(value: Any, pattern: Any = "%Y-%m-%d %H:%M", zone: Any = "UTC") -> str:
    """An ISO 8601 text or Unix seconds in strftime's form, in a time zone; anything else unchanged.

    There is no ``now``: a message printed twice must read the same.
    """
    moment = _moment(value)
    if moment is None:
        return "" if is_undefined(value) or value is None else str(value)
    if len(_text(pattern)) > _MAX_DATE_FORMAT:
        raise FilterArgumentError(f"a date format has at most {_MAX_DATE_FORMAT} characters", token=None)
    return moment.astimezone(_zone(zone)).strftime(_text(pattern))


def clock(value: Any, reader: Any = None) -> str:
    """The time of day of a moment as ``reader``, who is `user`, wants to read it: in their time zone, by 24 hours or
    12; of nobody in particular by 24 hours in UTC. Anything else unchanged."""
    moment = _moment(value)
    if moment is None:
        return "" if is_undefined(value) or value is None else str(value)
    here = moment.astimezone(_zone(_wish(reader, "timezone") or "UTC"))
    if _wish(_wish(reader, "format"), "time") == "12h":
        return f"{here.hour % 12 or 12}:{here:%M} {'am' if here.hour < 12 else 'pm'}"
    return f"{here:%H:%M}"


def number(value: Any, reader: Any = None, places: Any = None) -> str:
    """A number with the separators that ``reader`` wants, rounded to so many places; anything else unchanged."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "" if is_undefined(value) or value is None else str(value)
    if isinstance(value, float) and not abs(value) < _MOST_SEPARATED:
        return str(value)
    kept = places if isinstance(places, int) and 0 <= places <= _MOST_PLACES else None
    plain = f"{value:,}" if kept is None else f"{value:,.{kept}f}"
    return plain.translate(_SEPARATED.get(_wish(_wish(reader, "format"), "number"), {}))


_MOST_SEPARATED, _MOST_PLACES = 1e15, 10
_SEPARATED: Mapping[Any, dict[int, int]] = {
    "1.234,5": str.maketrans(",.", ".,"),
    "1 234,5": str.maketrans(",.", "\N{NARROW NO-BREAK SPACE},"),
}


def _wish(of: Any, name: str) -> Any:
    return of.get(name) if isinstance(of, Mapping) else None


def _moment(value: Any) -> datetime | None:
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(_text(name) or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FilterArgumentError(f"there is no time zone {_text(name)[:50]!r}", token=None) from error
