"""Shapes of signing in."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from tocsin.kit.schema import Answer, Body, Time


class TokensAnswer(Answer):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="Seconds the access token lives.")


class UserAnswer(Answer):
    """A person as their project sees them."""

    id: UUID
    env: Literal["live", "test"]
    email: str | None
    name: str | None
    avatar_url: str | None
    phone: str | None
    status: Literal["pending", "active", "disabled", "unverified"]
    external_user_id: str | None
    roles: list[str]
    addresses: dict[str, str] = Field(description="Channel to address; all of them under /users/{id}/addresses.")
    metadata: dict[str, Any]
    locale: str | None
    timezone: str | None
    last_seen_at: Time | None
    created_at: Time
    updated_at: Time


class RefreshBody(Body):
    refresh_token: str = Field(max_length=400)


class RefreshAnswer(Answer):
    tokens: TokensAnswer
