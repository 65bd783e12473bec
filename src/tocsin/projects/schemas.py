"""Shapes of projects and of signing up."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from tocsin.auth.passwords import MAX_LENGTH, MIN_LENGTH
from tocsin.auth.schemas import TokensAnswer
from tocsin.kit.schema import Answer, Body, FilterId, Text, Time, plain
from tocsin.users.contact import Email
from tocsin.users.schemas import UserAnswer

EnvName = Literal["live", "test"]
# The constraints come first, so that the length is that of the stripped text.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(plain)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"), Field(examples=["acme"])]
Password = Annotated[str, StringConstraints(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]


class SignUp(Body):
    email: Email
    password: Password
    project_name: Name
    slug: Slug | None = None
    plan: str | None = Field(None, max_length=40, description="Kept for installations with billing.")


class ProjectAnswer(Answer):
    id: UUID
    name: str
    description: str | None
    slug: str
    status: Literal["trial", "active", "suspended", "cancelled"]
    plan: str
    suspended_reason: str | None
    trial_ends_at: Time | None
    cancelled_at: Time | None
    purge_at: Time | None = Field(description="When a cancelled project is removed for good.")
    owner_id: UUID | None
    settings: dict[str, Any]
    branding: dict[str, Any]
    created_at: Time
    updated_at: Time


class ProjectDetails(ProjectAnswer):
    """A project, and which of what is read by itself it has, so that nobody has to ask for what is not there."""

    domain: str | None = Field(description="The host name that it claimed, proven or not.")
    sso_issuer: str | None = Field(description="The provider at which its people may sign in, if one is set up.")


class ProjectUpdate(Body):
    name: Name | None = None
    description: Annotated[Text, StringConstraints(max_length=2_000)] | None = None


class Transfer(Body):
    user_id: FilterId = Field(description="Whose it will be: an active user of the project.")


class KeyPair(Answer):
    """A key and its secret, which is shown this once."""

    id: UUID
    key: str = Field(examples=["pk_live_…"])
    secret: str = Field(examples=["sk_live_…"])


class RealtimeAppAnswer(Answer):
    app_id: str = Field(description="Digits, as Pusher's libraries want them.")
    key: str
    secret: str


class SignUpAnswer(Answer):
    project: ProjectAnswer
    user: UserAnswer
    tokens: TokensAnswer
    api_keys: dict[EnvName, KeyPair]
    identity_secrets: dict[EnvName, str]
    realtime: dict[EnvName, RealtimeAppAnswer]
