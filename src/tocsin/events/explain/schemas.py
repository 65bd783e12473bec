"""Shapes of an explanation: codes for programs, a sentence for people."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from tocsin.events.schemas import AttemptOfEventAnswer
from tocsin.kit.schema import Answer, Time

Verdict = Literal["received", "pending", "not_received"]
RuleCode = Literal[
    "recipient",
    "did_not_match",
    "condition_error",
    "render_error",
    "not_targeted",
    "targeted_since",
    "was_not_active",
    "not_known_then",
    "beyond_limit",
    "rule_deleted",
]
SinceCode = Literal["made_since", "changed_since", "not_in_force_then"]


class AttemptExplained(AttemptOfEventAnswer):
    sentence: str


class DeliveryExplained(Answer):
    """What became of the notification on one channel, to one of the person's devices where there are several."""

    id: UUID
    channel: str
    state: str
    round: int = Field(description="0 for what was first told; repeats and steps count from 1.")
    code: str = Field(
        description="`sent`, `delivered`, `read`, `captured`, `in_feed`; `waiting`, `paced`, `retrying`, "
        "`waits_for_connection`, `held`, `gathered`, `in_digest`; `gave_up`, `no_connection`, `no_address`, "
        "`device_gone`, `blocked`, `opted_out`, `person_not_active`, `not_reachable`, `over_quota`, `switched_off`, "
        "`not_subscribed`, `throttled`, `read_meanwhile`, `acknowledged`; else the state. "
        "Later releases add some."
    )
    sentence: str
    detail: str | None = Field(description="The reason on record, in the words of the provider where it gave some.")
    due_at: Time | None
    attempts: list[AttemptExplained] = Field(description="People who ask about themselves see none.")


class RuleExplained(Answer):
    """One rule that looked at the event, and what it meant for the person."""

    rule_id: UUID
    rule_name: str
    rule_version: int
    code: RuleCode
    sentence: str
    matched: bool
    reason: str | None = Field(description="The trace's own words; null for people who ask about themselves.")
    notification_id: UUID | None
    told_again: int = Field(description="How many repeats and steps reached out to the person after the first time.")
    seen_at: Time | None
    read_at: Time | None
    acknowledged_at: Time | None = Field(description="By whomever first.")
    acknowledged_by: UUID | None
    deliveries: list[DeliveryExplained] = Field(description="The first 200.")


class RuleSince(Answer):
    """A rule as it is today that did not look at the event as such, and what it says of it."""

    rule_id: UUID
    rule_name: str
    rule_version: int
    code: SinceCode
    matches: bool
    targets_person: bool
    sentence: str


class Explanation(Answer):
    """Why this person got it or not: the verdict first, then each rule."""

    event_id: UUID
    event_type: str
    user_id: UUID
    external_user_id: str | None
    verdict: Verdict
    code: str = Field(
        description="The first reason: a code of a delivery or of a rule, else `seen`, `no_rule`, `not_processed`, "
        "`event_failed`, `no_channel`."
    )
    sentence: str
    status: str = Field(description="The person's, now.")
    roles_now: list[str] | None = Field(description="Null for callers without `users:read`.")
    roles_then: list[str] | None = Field(description="As far as the audit log knows; null where it says nothing.")
    rules: list[RuleExplained]
    rules_since: list[RuleSince] = Field(
        description="Rules of today that would look at such an event and were not there, not in force or another "
        "version when it was processed."
    )
