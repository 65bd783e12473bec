"""What a model found wrong in something sent, said as a problem that names each field."""

from collections.abc import Sequence
from typing import Any

from tocsin.kit.errors import BadRequest, FieldError, Invalid, Problem
from tocsin.kit.strict_json import escaped

MOST = 50

_CODES = {"missing": "required", "extra_forbidden": "unknown_field"}
_DETAILS = {"missing": "This field is required.", "extra_forbidden": "There is no such field."}


def refusal(mistakes: Sequence[dict[str, Any]]) -> Problem:
    """The problem that mistakes are, as pydantic lists them; the first part of each ``loc`` is ``body`` or the like."""
    if any(item["type"] == "json_invalid" for item in mistakes):
        return BadRequest("malformed_json", "The body is not valid JSON.")
    errors = [_field_error(item) for item in mistakes[:MOST]]
    if all(item["loc"][:1] == ("body",) and len(item["loc"]) == 1 for item in mistakes):
        detail = "The request needs a JSON object as its body."
        return Invalid([FieldError("", item.code, detail) for item in errors[:1]])
    return Invalid(errors)


def _field_error(item: dict[str, Any]) -> FieldError:
    where, *path = item["loc"]
    pointer = "".join(f"/{escaped(part)}" for part in (path if where == "body" else [where, *path]))
    kind = item["type"]
    words = _DETAILS.get(kind) or str(item["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    words = words[:1].upper() + words[1:]
    return FieldError(pointer, _CODES.get(kind, kind), words if words.endswith(".") else words + ".")
