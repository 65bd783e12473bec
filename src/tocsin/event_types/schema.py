"""A schema of the project's: checked when it is saved, and judging payloads by it within a bound.

JSON Schema 2020-12 by jsonschema-rs: no network, patterns on an engine of linear time, and texts of limited size. What
could make judging take long in spite of that is weighed when it is saved.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec
import structlog

from tocsin.event_types.parts import Schema as Source
from tocsin.event_types.parts import everywhere, referred
from tocsin.event_types.weight import MOST, Circular, weigh
from tocsin.kit.errors import FieldError
from tocsin.kit.strict_json import escaped

SCHEMA_BYTES = 64 * 1024
MOST_PARTS = 2_000
REGEX_BYTES = 64 * 1024
"""What a compiled pattern may take; ``(a{1000}){1000}`` takes more."""
BUDGET = 4_000_000
"""Bytes of a payload times the weight of its schema, up to which it is judged: some 15 ms."""
MOST_FAULTS = 10
MOST_WORDS = 300

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOT_HERE = (
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$vocabulary",
    "unevaluatedProperties",
    "unevaluatedItems",
)


log = structlog.get_logger(__name__)


def check(source: dict[str, Any], pointer: str) -> list[FieldError]:
    """What is wrong with a schema, by place; empty when it can be saved."""
    if len(msgspec.json.encode(source)) > SCHEMA_BYTES:
        return [FieldError(pointer, "too_long", f"A schema has {SCHEMA_BYTES // 1024} KiB at most.")]
    return (
        list(islice(_not_available(source, pointer), MOST_FAULTS))
        or _not_compiling(source, pointer)
        or _too_heavy(source, pointer)
    )


def _not_available(source: dict[str, Any], pointer: str) -> Iterator[FieldError]:
    for count, (place, part) in enumerate(everywhere(source, pointer), start=1):
        if count > MOST_PARTS:
            yield FieldError(pointer, "too_complex", f"A schema has {MOST_PARTS:,} schemas inside it at most.")
            return
        for keyword in _NOT_HERE:
            if keyword in part:
                yield FieldError(f"{place}/{keyword}", "not_available", f"{keyword} is not available here.")
        if "$ref" in part and referred(source, part) is None:
            words = "A reference leads to # or to one of the document's own, #/$defs/name."
            yield FieldError(f"{place}/$ref", "unknown_reference", words)
        if str(part.get("$schema", _DIALECT)).rstrip("#") != _DIALECT:
            yield FieldError(f"{place}/$schema", "unknown_dialect", f"Schemas are of {_DIALECT}.")


def _not_compiling(source: dict[str, Any], pointer: str) -> list[FieldError]:
    try:
        _compiled(source)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        path = getattr(error, "instance_path", [])
        words = str(getattr(error, "message", error))
        return [FieldError(pointer + _pointer(path), "invalid_schema", _sentence(words))]
    return []


def _too_heavy(source: dict[str, Any], pointer: str) -> list[FieldError]:
    try:
        weight = weigh(source)
    except (Circular, RecursionError):
        return [FieldError(pointer, "circular", "The schema refers to itself without going on to a field or item.")]
    if weight <= MOST:
        return []
    words = "Judging by this schema could take too long: too many alternatives or patterns inside each other."
    return [FieldError(pointer, "too_complex", words)]


class Schema:
    """A schema that was checked, compiled when it is first asked."""

    def __init__(self, text: bytes | str, weight: int) -> None:
        self._text = text
        self._weight = weight

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator | None:
        """None for what a later release of the validator does not take: then nothing is judged."""
        try:
            return _compiled(msgspec.json.decode(self._text))
        except (jsonschema_rs.ValidationError, ValueError) as error:
            log.warning("a saved schema does not compile any more", reason=str(error)[:200])
            return None

    def cost(self, payload_bytes: int) -> int:
        return payload_bytes * self._weight

    def faults(self, payload: Any, payload_bytes: int, pointer: str = "/payload") -> list[FieldError]:
        """Where a payload does not fit, the first ten; values are not repeated. Judged up to ``BUDGET``."""
        if self.cost(payload_bytes) > BUDGET:
            words = f"The payload is too large to be judged by its schema: {payload_bytes:,} bytes."
            return [FieldError(pointer, "schema_too_costly", words)]
        validator = self._validator
        if validator is None or validator.is_valid(payload):
            return []
        return [
            FieldError(pointer + _pointer(error.instance_path), "schema_mismatch", _sentence(error.message))
            for error in islice(validator.iter_errors(payload), MOST_FAULTS)
        ]


def _compiled(source: Source) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        source,
        validate_formats=True,
        ignore_unknown_formats=True,
        offline=True,
        mask="the value",
        pattern_options=jsonschema_rs.RegexOptions(size_limit=REGEX_BYTES, dfa_size_limit=REGEX_BYTES),
    )


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{escaped(step)}" for step in path)


def _sentence(words: str) -> str:
    """The validator's words as a sentence; it names keys that are not declared, which may be long."""
    short = " ".join(words.split())[:MOST_WORDS].removesuffix(".")
    return f"{short[:1].upper()}{short[1:]}."
