"""Shapes of API keys, and of the secrets that rotate (A3)."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from tocsin.auth.permissions import unknown
from tocsin.kit.schema import WHOLE, Answer, Body, Time, unsent
from tocsin.projects.networks import AllowedNetworks
from tocsin.projects.schemas import EnvName, Name
from tocsin.users.schemas import Permission

MOST_OVERLAP_SECONDS = 7 * 86_400


def _known_permissions(names: list[str]) -> list[str]:
    if strange := unknown(names):
        raise ValueError(f"there is no permission {strange[0]!r}; GET /permissions lists them")
    return sorted(set(names))


def _zoned(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("give a time zone, e.g. 2027-01-01T00:00:00Z")
    return value


def _still_ahead(value: datetime | None) -> datetime | None:
    return value if value is not None and value > datetime.now(UTC) else None


Permissions = Annotated[list[Permission], AfterValidator(_known_permissions), Field(max_length=100)]
Expiry = Annotated[datetime, Field(strict=False), AfterValidator(_zoned)]
PreviousUntil = Annotated[
    Time | None,
    AfterValidator(_still_ahead),
    Field(description="Until then the secret before the last rotation counts too."),
]
Overlap = Annotated[
    int,
    Field(ge=0, le=MOST_OVERLAP_SECONDS, description="How long the old secret goes on counting; 0 ends it at once."),
    WHOLE,
]


class RateLimit(Body):
    """Calls of one key; what is left out or null is limited by the plan alone."""

    per_second: Annotated[int, Field(ge=1, le=100_000), WHOLE] | None = None
    per_hour: Annotated[int, Field(ge=1, le=1_000_000_000), WHOLE] | None = None


class RateLimitAnswer(Answer):
    per_second: int | None = None
    per_hour: int | None = None


AutoRevokeAfter = Annotated[
    int,
    Field(
        ge=2,
        le=1_000_000,
        description="So many wrong secrets since the last rotation revoke the key; null: none does.",
    ),
    WHOLE,
]


class KeyCreate(Body):
    name: Name
    permissions: Permissions
    env: EnvName = "live"
    expires_at: Expiry | None = None
    allowed_ips: AllowedNetworks = Field([])
    rate_limit: RateLimit | None = None
    auto_revoke_after: AutoRevokeAfter | None = None


class KeyUpdate(Body):
    """What is left out stays."""

    name: Name = unsent()
    permissions: Permissions = unsent()
    expires_at: Expiry | None = None
    allowed_ips: AllowedNetworks = unsent()
    rate_limit: RateLimit | None = None
    auto_revoke_after: AutoRevokeAfter | None = None


class KeyAnswer(Answer):
    id: UUID
    name: str
    key: str
    env: EnvName
    permissions: list[str]
    status: Literal["active", "revoked"]
    allowed_ips: list[str]
    rate_limit: RateLimitAnswer | None
    auto_revoke_after: int | None
    failed_secrets: int = Field(description="Counted while `autoRevokeAfter` is set.")
    created_by: UUID | None
    expires_at: Time | None
    previous_until: PreviousUntil
    last_used_at: Time | None = Field(description="Up to a minute behind.")
    created_at: Time


class KeyCreated(KeyAnswer):
    secret: str = Field(description="Shown this once.")


class RotateKey(Body):
    overlap_seconds: Overlap = 86_400


class RotateSecret(Body):
    env: EnvName
    overlap_seconds: Overlap = 86_400


class IdentitySecretRotated(Answer):
    env: EnvName
    secret: str = Field(description="Shown this once.", examples=["is_live_…"])
    previous_until: PreviousUntil


class RealtimeSecretRotated(Answer):
    app_id: str
    env: EnvName
    secret: str = Field(description="Shown this once.")
    previous_until: PreviousUntil
