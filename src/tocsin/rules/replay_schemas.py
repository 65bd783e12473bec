"""Shapes of a replay: which stored events, and how a rule's answers would differ from what happened."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from tocsin.kit.schema import Answer, Body, FilterTime, Time
from tocsin.rules.schemas import (
    EscalationAnswer,
    EventTypes,
    Priority,
    Rendering,
    RepeatAnswer,
    RuleCreate,
    ThrottleAnswer,
)

MOST_EVENTS = 10_000

Change = Literal[
    "newly_matching",
    "no_longer_matching",
    "recipients",
    "texts",
    "channels",
    "destinations",
    "priority",
    "sound",
    "insistence",
    "digest",
    "throttle",
    "error",
]


class RuleReplay(Body):
    """Stored events, and the rule to run over them."""

    rule: RuleCreate | None = Field(None, description="A draft in place of the saved rule.")
    from_: FilterTime = Field(alias="from", description="Events received from then on, the oldest first.")
    to: FilterTime | None = Field(None, description="Until then; now, if left out.")
    event_types: EventTypes | None = Field(None, description="Of the types that the rule listens to only these.")
    limit: Annotated[int, Field(ge=1, le=MOST_EVENTS)] = 1_000
    cursor: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        None, description="`nextCursor` of the answer before, to go on there with the same body otherwise."
    )

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.to is not None and self.to <= self.from_:
            raise PydanticCustomError("ends_before_it_begins", "`to` must be later than `from`.")
        return self


class ReplayCounts(Answer):
    """Of the events that this answer looked at."""

    events: int = Field(description="Events of the types concerned that were judged.")
    matched_then: int
    matched_now: int
    newly_matching: int
    no_longer_matching: int
    recipients_changed: int = Field(description="Matched then and now, and other people would be told.")
    texts_changed: int = Field(description="Matched then and now, and would read differently.")
    channels_changed: int = Field(description="Matched then and now, and would go by other channels or turns of them.")
    destinations_changed: int
    priority_changed: int
    sound_changed: int
    insistence_changed: int = Field(description="Would ask for an acknowledgement, repeat or escalate otherwise.")
    digest_changed: int
    throttle_changed: int
    gathered_then: int = Field(description="People for whom it waited for a digest, of all notifications together.")
    gathered_now: int
    throttled_then: int = Field(description="People for whom it was one too many, of all notifications together.")
    throttled_now: int
    told_again_then: int = Field(description="Repeats and steps of escalations.")
    told_again_now: int
    errors: int = Field(description="The condition or a template would go wrong.")


class ReplayDigest(Answer):
    window_seconds: int
    max_items: int
    leading: bool


class ReplayHow(Answer):
    """By which ways something is told, how loudly and how it goes on: what the rule says of it."""

    channels: list[str]
    after_seconds: int | None = Field(description="Between the turns of the channels; null: all are told at once.")
    destinations: list[str]
    priority: Priority
    sound: str | None = Field(description="The rule's, or the project's default.")
    require_ack: bool
    repeat: RepeatAnswer | None
    escalation: list[EscalationAnswer] | None
    escalation_loops: int
    digest: ReplayDigest | None
    throttle: ThrottleAnswer | None


class ReplayCourse(Answer):
    """What becomes of a notification once it is made."""

    gathered: int = Field(description="For so many people it waits for a digest.")
    throttled: int = Field(description="For so many people it is one too many.")
    told_again: int = Field(description="Repeats and steps of the escalation, until it was acknowledged or until now.")


class ReplayThen(Answer):
    """What the rule did when the event was processed."""

    matched: bool
    reason: str
    rule_version: int | None = Field(description="Null where the rule did not look at the event.")
    rendered: Rendering | None
    how: ReplayHow | None = Field(description="Null where nothing was told, or is not kept any more.")
    recipients_total: int
    course: ReplayCourse | None = Field(description="Null as `how` is, and where it told more than 500 people.")


class ReplayNow(Answer):
    """What the rule or the draft would do."""

    matched: bool
    reason: str
    rendered: Rendering | None
    how: ReplayHow | None = Field(description="Null where nothing would be told.")
    recipients_total: int
    course: ReplayCourse | None = Field(description="Null as `how` is, and where it would tell more than 500 people.")


class ReplayExample(Answer):
    """One event to which the answer would be another one."""

    event_id: UUID
    event_type: str
    received_at: Time
    changes: list[Change]
    then: ReplayThen
    now: ReplayNow
    gained: list[UUID] = Field(description="People who would be told and were not; the first 50.")
    lost: list[UUID] = Field(description="People who were told and would not be; the first 50.")


class ReplayAnswer(Answer):
    """How a rule's answers to stored events would differ. Nothing is stored or sent."""

    counts: ReplayCounts
    examples: list[ReplayExample] = Field(description="The first 100 events whose answer would differ.")
    scanned: int = Field(description="Stored events of any type that were passed on the way.")
    last_event_at: Time | None = Field(description="When the last event that was judged had been received.")
    next_cursor: str | None = Field(description="Where to go on: events are left. Null at the end.")
