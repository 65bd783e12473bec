"""Shapes of signing in."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from tocsin.auth.schemas import TokensAnswer
from tocsin.kit.schema import Answer, Body, Time
from tocsin.projects.schemas import ProjectAnswer, Slug
from tocsin.users.contact import Email
from tocsin.users.schemas import UserAnswer


class LoginBody(Body):
    email: Email
    password: str = Field(max_length=1_000)
    project: Slug | None = Field(None, description="Slug; needed when several projects fit.")
    code: str | None = Field(None, max_length=20, description="Second factor, where the account has one.")


class PlatformLogin(Body):
    email: Email
    password: str = Field(max_length=1_000)
    code: str | None = Field(None, max_length=20, description="Second factor, where the account has one.")


class LoginAnswer(Answer):
    tokens: TokensAnswer
    user: UserAnswer
    project: ProjectAnswer


class SecondFactorAnswer(Answer):
    """What the account has of a second factor, and whether its project wants one."""

    enabled: bool
    since: Time | None
    recovery_codes_left: int
    required: bool = Field(description="The project requires one of everybody who signs in with a password.")


class MeAnswer(Answer):
    user: UserAnswer
    project: ProjectAnswer
    permissions: list[str]
    second_factor: SecondFactorAnswer


class EnrolBody(Body):
    password: str | None = Field(None, max_length=1_000, description="Needed when the sign-in is a while ago.")


class EnrolAnswer(Answer):
    secret: str = Field(description="Base32, for typing into an authenticator app.")
    uri: str = Field(description="`otpauth://totp/...`, for a QR code.")


Code = Annotated[str, Field(max_length=20, examples=["123456"])]


class ConfirmBody(Body):
    code: Code


class ProofBody(Body):
    """Who they are, once more: the password where there is one, and a code of the app or a recovery code."""

    code: Code
    password: str | None = Field(None, max_length=1_000)


class RecoveryCodesAnswer(Answer):
    recovery_codes: list[str] = Field(description="Each works once. They are shown this once.")


class SessionAnswer(Answer):
    id: UUID
    current: bool = Field(description="Whether it is the one that asks.")
    ip_address: str | None
    user_agent: str | None
    created_at: Time
    last_used_at: Time = Field(description="When its tokens were last renewed.")
    expires_at: Time
