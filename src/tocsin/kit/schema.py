"""Bases of the request and answer shapes: camelCase outside, snake_case inside, nothing unknown accepted."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from tocsin.kit.errors import NotFound
from tocsin.kit.ids import parse_id


class Body(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", validate_by_name=False, str_strip_whitespace=False, strict=True
    )


class Answer(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, from_attributes=True
    )


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""A number is whole as JSON Schema means it: 60.0 is. Stands after the bounds, or the document would not tell them."""


def _utc(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso(value: datetime) -> str:
    """A moment as the API writes it: ISO 8601 in UTC with ``Z`` and milliseconds."""
    return _utc(value)


Time = Annotated[
    datetime,
    PlainSerializer(_utc, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-21T12:00:00.000Z"]}),
]


def _id_or_not_found(value: object) -> UUID:
    parsed = parse_id(value) if isinstance(value, str) else None
    if parsed is None:
        raise NotFound()
    return parsed


_ID = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    "description": "36 characters, lower case.",
}

PathId = Annotated[UUID, BeforeValidator(_id_or_not_found), WithJsonSchema(_ID)]
"""An id in a path: what is not well formed is absent, exactly like what belongs to somebody else."""


def _id_or_refused(value: object) -> UUID:
    parsed = parse_id(value) if isinstance(value, str) else None
    if parsed is None:
        raise ValueError("is not an id: 36 characters, lower case")
    return parsed


FilterId = Annotated[UUID, BeforeValidator(_id_or_refused), WithJsonSchema(_ID)]
"""An id in a query: one that cannot exist is a mistake and not an empty list."""


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("is not a time of ISO 8601, e.g. 2026-11-21T12:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("give a time zone, e.g. 2026-11-21T12:00:00Z")
    if not 2000 <= moment.year < 2200:
        raise ValueError("lies outside the years 2000 to 2199")
    return moment


FilterTime = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time", "pattern": "^2[01]"})
]
"""A moment in a request, with its zone."""


def unsent() -> Any:
    """A field that may be left out and may not be null; unlike a default, the schema shows no value for it."""
    return Field(default_factory=lambda: None)


def plain(value: str) -> str:
    """The text, unless PostgreSQL could not keep it."""
    if "\0" in value:
        raise ValueError("must not contain the character U+0000")
    return value


Text = Annotated[str, AfterValidator(plain)]
