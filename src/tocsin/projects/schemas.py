"""Shapes of projects and API keys."""

from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from tocsin.auth.passwords import MAX_LENGTH, MIN_LENGTH
from tocsin.auth.permissions import unknown
from tocsin.auth.schemas import TokensAnswer
from tocsin.kit.schema import Answer, Body, FilterId, Text, Time, plain
from tocsin.users.contact import Email
from tocsin.users.schemas import Permission, UserAnswer

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


def _known_permissions(names: list[str]) -> list[str]:
    if strange := unknown(names):
        raise ValueError(f"there is no permission {strange[0]!r}; GET /permissions lists them")
    return sorted(set(names))


Permissions = Annotated[list[Permission], AfterValidator(_known_permissions), Field(max_length=100)]


class KeyCreate(Body):
    name: Name
    permissions: Permissions
    env: EnvName = "live"
    expires_at: Annotated[datetime, Field(strict=False)] | None = None
    allowed_ips: list[str] = Field([], max_length=100, description="Addresses or networks; empty allows all.")

    @field_validator("allowed_ips")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        return [str(ip_network(entry, strict=False)) for entry in value]

    @field_validator("expires_at")
    @classmethod
    def _zoned(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("give a time zone, e.g. 2027-01-01T00:00:00Z")
        return value


class KeyAnswer(Answer):
    id: UUID
    name: str
    key: str
    env: EnvName
    permissions: list[str]
    status: Literal["active", "revoked"]
    allowed_ips: list[str]
    created_by: UUID | None
    expires_at: Time | None
    last_used_at: Time | None
    created_at: Time


class KeyCreated(KeyAnswer):
    secret: str = Field(description="Shown this once.")
