"""JSON from strangers: decoded once, walked once, never surprising the database.

Parsers agree to differ on duplicate keys, huge numbers, lone surrogates and NUL; PostgreSQL refuses some of
them after the fact, which would fail a whole group of events. So they are refused here, with their place.
"""

import json
from typing import Any

import msgspec

from tocsin.kit.errors import BadRequest, FieldError, Invalid

MAX_DEPTH = 32
MAX_KEYS = 1_000
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19
_INT64 = range(-(2**63), 2**63)


def decode(body: bytes, *, duplicates_refused: bool = True) -> Any:
    """The decoded body; raises BadRequest for what is not JSON and Invalid for what cannot be stored."""
    if not body:
        raise BadRequest("empty_body", "The request has no body; send a JSON object.")
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise BadRequest("too_deep", f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest("malformed_json", f"The body is not valid JSON in UTF-8: {error}.") from None
    if duplicates_refused:
        _refuse_duplicates(body)
    if looks_odd(body):
        errors = list(faults(value))
        if errors:
            raise Invalid(errors)
    return value


def looks_odd(body: bytes) -> bool:
    """Whether the text could hold something that ``faults`` refuses: a cheap look that spares the walk."""
    return looks_large(body) or holds_oddity(body)


def looks_large(body: bytes) -> bool:
    """Whether the text could be nested too deep or have an object with too many keys."""
    # The length is asked first: most events are shorter than so many colons.
    return body.count(b"{") + body.count(b"[") > MAX_DEPTH or (len(body) > MAX_KEYS and body.count(b":") > MAX_KEYS)


def holds_oddity(body: bytes) -> bool:
    """Whether the text could hold a NUL or an integer beyond 64 bits, wherever in it."""
    # 20 times faster than a regular expression
    return b"\\u0000" in body or _LONG_NUMBER in body.translate(_DIGITS_TO_ZERO)


def faults(value: Any, pointer: str = "") -> list[FieldError]:
    """What in a decoded value cannot be kept: too deep, too many keys, NUL, integers beyond 64 bits."""
    found: list[FieldError] = []
    stack: list[tuple[Any, str, int]] = [(value, pointer, 1)]
    while stack and len(found) < 20:
        item, place, depth = stack.pop()
        if isinstance(item, dict):
            if depth > MAX_DEPTH:
                raise BadRequest("too_deep", f"The JSON is nested deeper than {MAX_DEPTH} levels.")
            if len(item) > MAX_KEYS:
                found.append(FieldError(place, "too_many_keys", f"An object may have {MAX_KEYS} keys at most."))
                continue
            for key, child in item.items():
                if "\0" in key:
                    found.append(FieldError(place, "nul_character", "A key contains the character U+0000."))
                stack.append((child, f"{place}/{escaped(key)}", depth + 1))
        elif isinstance(item, list):
            if depth > MAX_DEPTH:
                raise BadRequest("too_deep", f"The JSON is nested deeper than {MAX_DEPTH} levels.")
            stack.extend((child, f"{place}/{index}", depth + 1) for index, child in enumerate(item))
        elif isinstance(item, str):
            if "\0" in item:
                found.append(FieldError(place, "nul_character", "The text contains the character U+0000."))
        elif isinstance(item, int) and item not in _INT64:
            found.append(
                FieldError(place, "number_too_large", "The integer does not fit into 64 bits; send it as text.")
            )
    return found


def escaped(key: object) -> str:
    """A key as part of a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def _refuse_duplicates(body: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen = dict(pairs)
        if len(seen) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadRequest("duplicate_key", f"The key {twice[:80]!r} appears twice in one object.")
        return seen

    json.loads(body, object_pairs_hook=unique)
