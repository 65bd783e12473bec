"""Shapes of endpoints and of the log of what was sent to them."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from tocsin.channels.webhook import checked_secret
from tocsin.kit.http import MAX_URL
from tocsin.kit.schema import WHOLE, Answer, Body, FilterTime, Text, Time, unsent
from tocsin.webhooks.kinds import EVERYTHING, EventType

MOST_OVERLAP_SECONDS = 7 * 86_400

Url = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=MAX_URL),
    Field(description="Receives a POST for each message.", json_schema_extra={"format": "uri"}),
]
Description = Annotated[Text, StringConstraints(max_length=500)]
Timeout = Annotated[int, Field(ge=1, le=30, description="Seconds to wait for the whole answer."), WHOLE]


def _distinct(types: list[str]) -> list[str]:
    return [EVERYTHING] if EVERYTHING in types else list(dict.fromkeys(types))


EventTypes = Annotated[
    list[EventType | Literal["*"]],
    AfterValidator(_distinct),
    Field(min_length=1, max_length=50, description="`*` is everything, later types included."),
]
OwnSecret = Annotated[
    str,
    StringConstraints(max_length=200),
    AfterValidator(checked_secret),
    Field(description="`whsec_` and standard base64 of 24 to 64 bytes. Left out: made by us."),
]


class WebhookEndpointCreate(Body):
    url: Url
    event_types: EventTypes
    description: Description | None = None
    timeout_seconds: Timeout = 15
    secret: OwnSecret | None = None


class WebhookEndpointUpdate(Body):
    """What is left out stays as it is."""

    url: Url = unsent()
    event_types: EventTypes = unsent()
    description: Description | None = None
    timeout_seconds: Timeout = unsent()
    status: Annotated[
        Literal["active", "disabled"], Field(description="`active` also resumes one that was paused.")
    ] = unsent()


class ProjectWebhook(Body):
    """The short form of one endpoint; null takes it away."""

    url: Url | None
    event_types: EventTypes = Field(default=["*"])


class WebhookSecretRotate(Body):
    overlap_seconds: Annotated[
        int, Field(ge=0, le=MOST_OVERLAP_SECONDS, description="For so long both secrets sign."), WHOLE
    ] = 86_400
    secret: OwnSecret | None = None


class WebhookRecover(Body):
    since: FilterTime = Field(description="Everything that failed since then is sent again, at most 30 days back.")


class WebhookRecovery(Answer):
    since: Time
    resent: int = Field(description="Messages that were queued again so far.")
    finished_at: Time | None


class WebhookEndpointAnswer(Answer):
    """An endpoint; of its secret only the last four characters."""

    id: UUID
    env: Literal["live", "test"]
    url: str
    description: str | None
    event_types: list[str]
    timeout_seconds: int
    secret: str | None = Field(description="Null when it cannot be read; rotate it.")
    previous_secret_until: Time | None = Field(description="Until then the secret before signs too.")
    primary: bool = Field(description="The one of `PUT /projects/me/webhook`.")
    status: Literal["active", "paused", "disabled"]
    status_reason: str | None
    failing_since: Time | None
    failures: int = Field(description="Attempts in a row that failed.")
    last_success_at: Time | None
    last_failure_at: Time | None
    recovery: WebhookRecovery | None
    created_at: Time
    updated_at: Time


class WebhookEndpointWithSecret(WebhookEndpointAnswer):
    """The secret is shown this once."""


class WebhookTestAnswer(Answer):
    """What the endpoint answered; `captured` in the sandbox, where nobody is asked."""

    __test__ = False

    log_id: UUID
    state: Literal["delivered", "failed", "captured"]
    response_status: int | None
    response_body: str | None
    error: str | None
    duration_ms: int | None


class WebhookAttemptAnswer(Answer):
    number: int
    success: bool
    response_status: int | None
    response_body: str | None = Field(description="The first 4 KiB, without our secrets.")
    error: str | None
    started_at: Time
    duration_ms: int
    next_attempt_at: Time | None


State = Literal["queued", "delivered", "failed", "captured"]


class WebhookLogAnswer(Answer):
    """A message to an endpoint, with its newest attempt."""

    id: UUID
    env: Literal["live", "test"]
    endpoint_id: UUID
    message_id: str = Field(description="The `webhook-id` header of every attempt.")
    event_type: str
    state: State
    attempt_number: int = Field(description="Attempts so far.")
    success: bool
    response_status: int | None
    response_body: str | None = Field(description="The first 4 KiB, without our secrets.")
    error: str | None
    duration_ms: int | None
    next_attempt_at: Time | None
    created_at: Time
    finished_at: Time | None


class WebhookLogEntry(WebhookLogAnswer):
    """The same with what was sent, and every attempt."""

    payload: dict[str, Any] | None
    attempts: list[WebhookAttemptAnswer]
