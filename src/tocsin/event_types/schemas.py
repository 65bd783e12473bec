"""Shapes of event types, as clients send and get them."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from tocsin.event_types.names import MAX_TYPE_LENGTH, TYPE, valid_event_type
from tocsin.kit.schema import Answer, Body, Text, Time, unsent

Mode = Literal["off", "warn", "reject"]


def _type_name(value: str) -> str:
    if not valid_event_type(value):
        raise PydanticCustomError(
            "invalid_event_type",
            "A type is dotted words of letters, digits, _ and -, 200 characters at most: order.created.",
        )
    return value


# Shown beside the check and not made by it, so that a mistake is told in words instead of a pattern.
TypeName = Annotated[
    str,
    AfterValidator(_type_name),
    Field(json_schema_extra={"pattern": f"^{TYPE.pattern}$", "maxLength": MAX_TYPE_LENGTH}, examples=["order.created"]),
]
Description = Annotated[Text, StringConstraints(max_length=2_000)]
Source = Annotated[
    dict[str, Any],
    Field(
        description="JSON Schema 2020-12 for the payload, 64 KiB at most; references inside the document alone.",
        examples=[{"type": "object", "required": ["orderId"], "properties": {"orderId": {"type": "string"}}}],
    ),
]
Example = Annotated[
    dict[str, Any], Field(description="A payload that fits the schema.", examples=[{"orderId": "A-17"}])
]
How = Annotated[
    Mode,
    Field(
        description="What happens to an event that does not fit: nothing (`off`), its story says so (`warn`), or it is "
        "refused (`reject`)."
    ),
]


class EventTypeFields(Body):
    """What may be null: saying so takes it away."""

    description: Description | None = None
    payload_schema: Source | None = Field(None, alias="schema")
    example: Example | None = None


class EventTypeCreate(EventTypeFields):
    name: TypeName
    mode: How = "off"


class EventTypeUpdate(EventTypeFields):
    mode: How = unsent()


class EventTypeAnswer(Answer):
    id: UUID
    env: Literal["live", "test"]
    name: str
    description: str | None
    payload_schema: dict[str, Any] | None = Field(alias="schema")
    example: dict[str, Any] | None
    mode: Mode
    last_seen_at: Time | None = Field(description="When an event of this type was last accepted, to the minute.")
    created_at: Time
    updated_at: Time


class SeenTypeAnswer(Answer):
    """A type that the project has sent."""

    name: str
    registered: bool
    first_seen_at: Time
    last_seen_at: Time = Field(description="To the minute.")
