"""Shapes of what is mailed: links, invitations, and the mails themselves."""

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from tocsin.kit.schema import Answer, Body, Time
from tocsin.mail.words import Kind
from tocsin.projects.schemas import Password, Slug
from tocsin.users.contact import Email
from tocsin.users.schemas import Name, RoleName

Token = Field(max_length=200, examples=["lk_…"], description="What stands behind `token=` in the link of the mail.")


class Accepted(Answer):
    """The call was taken, whatever comes of it."""

    status: Literal["accepted"] = "accepted"


class EmailVerify(Body):
    token: str = Token


class EmailVerified(Answer):
    email: str
    status: Literal["pending", "active", "unverified"] = Field(description="Of the person, from now on.")


class EmailChange(Body):
    email: Email
    password: str | None = Field(None, max_length=1_000, description="The present one, where the account has one.")


class PasswordForgot(Body):
    email: Email
    project: Slug | None = Field(None, description="Slug; without it every project of this address is meant.")


class PasswordReset(Body):
    token: str = Token
    password: Password


class PasswordChange(Body):
    current: str = Field(max_length=1_000)
    new: Password


class InviteCreate(Body):
    email: Email
    roles: list[RoleName] = Field(["user"], min_length=1, max_length=50, description="Given when the person comes.")
    name: Name | None = None


class InviteAccept(Body):
    token: str = Token
    password: Password | None = Field(None, description="Needed where the account has none.")
    name: Name | None = None
    code: str | None = Field(None, max_length=20, description="Second factor, where the account has one.")


class InviteAnswer(Answer):
    id: UUID
    env: Literal["live", "test"]
    user_id: UUID
    email: str
    roles: list[str]
    state: Literal["open", "expired", "accepted", "withdrawn"]
    invited_by: UUID = Field(description="A user or an API key.")
    expires_at: Time
    accepted_at: Time | None
    created_at: Time

    @model_validator(mode="after")
    def _expire(self) -> "InviteAnswer":
        if self.state == "open" and self.expires_at <= datetime.now(UTC):
            self.state = "expired"
        return self


class MailAnswer(Answer):
    """A mail of the platform: whom it went to and what became of it. What it said is only shown in the sandbox."""

    id: UUID
    env: Literal["live", "test"]
    user_id: UUID | None
    kind: Kind
    recipient: str
    state: Literal["queued", "sent", "failed", "captured"]
    attempts: int
    due_at: Time = Field(description="When it is tried next, while it is queued.")
    last_error: str | None
    sent_at: Time | None
    created_at: Time


class CapturedMail(MailAnswer):
    captured: dict[str, Any] | None = Field(description="`subject`, `text` and `url` of a mail of the sandbox.")


class ResendClaim(Body):
    claim_token: str = Field(max_length=2_000)
