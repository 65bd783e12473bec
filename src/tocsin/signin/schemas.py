"""Shapes of signing in."""

from pydantic import Field

from tocsin.auth.schemas import TokensAnswer
from tocsin.kit.schema import Answer, Body
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


class MeAnswer(Answer):
    user: UserAnswer
    project: ProjectAnswer
    permissions: list[str]
