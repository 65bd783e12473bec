"""Shapes of notifications."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from tocsin.kit.schema import Answer, Body, Time

Priority = Literal["critical", "high", "normal", "low"]


class AcknowledgedBy(Answer):
    """Somebody's "I have seen to it"; `userId` is null where a backend said it with its key, or somebody of a chat."""

    user_id: UUID | None
    name: str | None = Field(
        description="Told to everybody who received it; of somebody who is known to a chat alone, their name there."
    )
    at: Time
    via: str


class RecipientAnswer(Answer):
    user_id: UUID
    seq: int = Field(description="The notification's number in this person's feed.")
    reason: str
    seen_at: Time | None
    read_at: Time | None
    acknowledged_at: Time | None


class Insistence(Answer):
    """How it goes on until somebody acknowledges."""

    repeated: int = Field(description="How often it came again.")
    repeats_at: Time | None = Field(description="When it comes again; null where it does not.")
    steps_taken: int = Field(description="Of the rule's escalation, every loop counted.")
    escalates_at: Time | None = Field(description="When the next step is taken; null where none is left.")


class NotificationAnswer(Answer):
    id: UUID
    env: Literal["live", "test"]
    event_id: UUID | None
    event_type: str | None
    client_event_id: str | None
    rule_id: UUID | None
    rule_version: int | None
    title: str
    message: str
    action: dict[str, Any] | None
    translations: dict[str, Any] | None = Field(
        description="What it says in further languages. Where it is shown as part of somebody's feed, it is in theirs, "
        "and this is null."
    )
    sound: str | None
    sound_url: str | None = Field(description="Where the sound is played, without credentials.")
    priority: Priority
    require_ack: bool
    topic: str | None
    gathers: int | None = Field(description="Of a digest: how many notifications it tells of.")
    created_at: Time
    seq: int | None = Field(None, description="Its number in your own feed, where you ask for yourself.")
    silent: bool = Field(False, description="Where you ask for yourself: whether it is to be shown without a sound.")
    recipients: list[RecipientAnswer] = Field(description="200 at most; `recipientsTotal` counts them all.")
    recipients_total: int
    acknowledged_by: list[AcknowledgedBy]
    insistence: Insistence | None = Field(description="Null where it does not insist, or no longer.")
    delivered: int = Field(description="Deliveries that were sent or arrived.")
    delivery_attempts: int
    last_delivery_attempt: Time | None
    delivery_error: str | None
    delivered_at: Time | None
    pusher_event_sent: bool = Field(description="Whether it was pushed to live sockets.")


class Acknowledge(Body):
    user_id: UUID | None = Field(None, strict=False, description="For whom a backend acknowledges.")


class Seen(Body):
    read: bool = Field(False, description="Opened, and not only shown.")
    user_id: UUID | None = Field(None, strict=False, description="Who has seen it, where a backend says so.")
