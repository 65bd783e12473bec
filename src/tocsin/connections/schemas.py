"""Shapes of providers and connections."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from tocsin.kit.schema import Answer, Body, Text, Time, unsent

Status = Literal["pending", "active", "suspended", "rate_limited", "error"]
Owner = Literal["platform", "project", "user"]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=200), Field(examples=["Mail of the shop"])]

_SETTINGS = "As the provider's `settingsSchema` says."
_CREDENTIALS = "As the provider's `credentialsSchema` says."


class StepAnswer(Answer):
    """One step of setting a connection up."""

    key: str = Field(description="Stays the same when the words or the order change.", examples=["verify"])
    text: str


class ProviderAnswer(Answer):
    """A way of sending, and the forms of its connections (JSON Schema 2020-12)."""

    provider: str
    channel: str
    title: str
    reaches: Literal["person", "project"]
    address_kind: str | None
    instant: bool = Field(description="Needs no connection: recorded as sent where it is decided.")
    has_destinations: bool = Field(description="Connections reach named places beside: topics, chats, mailboxes.")
    settings_schema: dict[str, Any]
    credentials_schema: dict[str, Any] = Field(description="Secrets are `writeOnly`.")
    setup_steps: list[StepAnswer]


class ConnectionFields(Body):
    provider: Annotated[Text, StringConstraints(min_length=1, max_length=63)] = Field(examples=["smtp"])
    name: Name
    credentials: dict[str, Any] = Field(
        {}, description=f"{_CREDENTIALS} Left out where we make them: then the answer shows `secret` once."
    )
    settings: dict[str, Any] = Field({}, description=_SETTINGS)
    is_default: bool | None = Field(None, description="Left out: true for the first connection of its channel.")
    use_as_fallback: bool = True


class ConnectionCreate(ConnectionFields):
    owner: Annotated[
        Literal["project", "user"],
        Field(description="Left out: `user` for those who may manage own things alone, else `project`."),
    ] = unsent()


class ConnectionUpdate(Body):
    """What is left out stays as it is."""

    name: Name | None = None
    credentials: dict[str, Any] | None = Field(
        None, description="Only the fields that change; one that still reads as it was shown, masked, is kept."
    )
    settings: dict[str, Any] | None = Field(None, description=f"{_SETTINGS} Replaces all of them.")
    is_default: bool | None = None
    use_as_fallback: bool | None = None


class Limits(Answer):
    """How much may be sent over a connection at once and in a second; null: as much as there is."""

    max_concurrent: int | None = None
    requests_per_second: int | None = None


class ConnectionRotate(Body):
    credentials: dict[str, Any] = Field(
        default_factory=dict,
        description="New ones from the provider, where the provider makes them; only the fields that change.",
    )


class ConnectionAnswer(Answer):
    """A connection; of its secrets only the last four characters, and those to its owner alone."""

    id: UUID
    env: Literal["live", "test"]
    provider: str
    channel: str
    owner: Owner
    user_id: UUID | None = Field(description="Whose it is, if a person's.")
    name: str
    credentials: dict[str, Any] | None = Field(
        description="Null when it is somebody else's, or when they cannot be read and have to be set again."
    )
    settings: dict[str, Any] | None
    account: dict[str, Any] | None = Field(
        description="What the provider calls this account: `id`, `name`, and `details` of some."
    )
    is_default: bool
    use_as_fallback: bool
    status: Status
    status_reason: str | None
    suspended_by: Literal["project", "platform"] | None
    verified: bool
    verified_at: Time | None
    health_status: Literal["unknown", "healthy", "degraded", "failing"]
    last_health_check: Time | None
    limits: Limits
    ceilings: Limits = Field(description="What others set, above which its owner cannot go.")
    created_at: Time
    updated_at: Time


class ConnectionWithSecret(ConnectionAnswer):
    secret: str | None = Field(description="Shown this once; null when you brought the credentials yourself.")


class VerifyBody(Body):
    target: Annotated[Text, StringConstraints(min_length=1, max_length=4_096)] | None = Field(
        None, description="An address that gets a test message.", examples=["ann@example.com"]
    )
    take_over: bool = Field(
        False, description="Lead the provider here though it calls somebody else for this account (409 webhook_taken)."
    )


class MessageSent(Answer):
    """What became of a test message; `captured` in the sandbox."""

    status: Literal["sent", "delivered", "captured"]
    provider_message_id: str | None = None
    answer: str = Field("", description="The provider's own words.")


class VerifyAnswer(Answer):
    status: Status
    verified: bool
    account: dict[str, Any] | None
    warnings: list[str] = Field([], description="What works today and should be seen to.")
    test_message: MessageSent | None = None
