"""Shapes of signing in."""

from typing import Literal

from pydantic import Field

from tocsin.kit.schema import Answer, Body


class TokensAnswer(Answer):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="Seconds the access token lives.")


class RefreshBody(Body):
    refresh_token: str = Field(max_length=400)


class RefreshAnswer(Answer):
    tokens: TokensAnswer
