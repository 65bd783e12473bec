"""Shapes of events as they are read: the event, and what became of it (D6)."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from tocsin.kit.schema import Answer, Time

Status = Literal["received", "processed", "failed"]


def _status(state: str) -> str:
    """A worker's lease is no news to a client: the event is still waiting for its outcome."""
    return "received" if state == "leased" else state


class EventSummary(Answer):
    """An event without its story."""

    id: UUID
    env: Literal["live", "test"]
    type: str
    status: Annotated[Status, BeforeValidator(_status)] = Field(validation_alias="state")
    outcome: str | None = Field(
        description="Once processed: `notified`, `no_rule`, `no_match`, `nobody`, `rule_error`; `poison` when failed."
    )
    received_at: Time
    processed_at: Time | None
    timestamp: Time | None = Field(validation_alias="client_timestamp", description="The client's own.")
    source: str | None
    client_event_id: str | None
    payload: dict[str, Any]


class AttemptOfEventAnswer(Answer):
    number: int
    started_at: Time
    duration_ms: int
    outcome: str
    status: int | None = Field(description="The provider's, where it has one: an HTTP or SMTP status.")
    answer: str | None
    error: str | None
    next_due_at: Time | None


class DestinationStory(Answer):
    id: UUID
    name: str


class DeliveryStory(Answer):
    id: UUID
    channel: str
    user_id: UUID | None = Field(description="Null where the channel reaches the project once, and for a destination.")
    destination: DestinationStory | None = Field(description="The named place it goes to, if that still exists.")
    state: str
    gathered_into: UUID | None = Field(description="The notification of the digest that told of it.")
    due_at: Time | None = Field(description="When the next attempt, or the digest, is due, while there will be one.")
    last_error: str | None
    connection_id: UUID | None
    connection_reason: str | None
    attempts: list[AttemptOfEventAnswer]


class TurnStory(Answer):
    """Where a person's channels are told one after the other: the last one told, and the next."""

    channel: str
    next_channel: str
    due_at: Time = Field(description="When the next one is told, unless the person has seen it by then.")


class RecipientStory(Answer):
    user_id: UUID
    reason: str
    turn: TurnStory | None = Field(description="Null where no further channel is left, or none will be told.")
    turns_ended: str | None = Field(description="Why further channels of the rule were not told.")


class RuleStory(Answer):
    """One rule that was considered for the event."""

    rule_id: UUID
    rule_name: str
    rule_version: int
    matched: bool
    reason: str
    error: str | None
    notification_id: UUID | None
    recipients: list[RecipientStory] = Field(description="The first 200.")
    recipients_total: int
    deliveries: list[DeliveryStory] = Field(description="Those of the recipients shown, 1,000 at most.")
    deliveries_total: int


class FaultAnswer(Answer):
    """A place where the payload does not fit the schema of its type."""

    pointer: str
    code: str
    detail: str


class EventStory(EventSummary):
    """An event and the whole way it took."""

    faults: list[FaultAnswer] = Field(
        description="What is wrong with the payload by a type whose mode is `warn`; the first ten."
    )

    notifications: list[UUID]
    trace: list[RuleStory] = Field(description="Every rule that could meet the type, in the order of evaluation.")
