"""Shapes of single sign-on."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from tocsin.kit.schema import Answer, Body, Text, Time, unsent
from tocsin.users.contact import normal_email
from tocsin.users.schemas import RoleName

MOST_URL = 500
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def _domain(value: str) -> str:
    try:
        return normal_email(f"x@{value}").rpartition("@")[2]
    except ValueError:
        raise ValueError("is not a domain of e-mail addresses, e.g. example.com") from None


def _return_url(value: str) -> str:
    """An address of the project's app: https, or http on the developer's own machine. We never call it ourselves, so
    it may lie inside the network of those who use it."""
    if not value.isascii() or not value.isprintable() or any(char in value for char in ' #"<>\\^`{|}'):
        raise ValueError("holds a character that does not belong there, or a fragment")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not an address") from None
    if not host or "@" in parts.netloc:
        raise ValueError("must name a host and no user")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOCAL_HOSTS):
        raise ValueError("must begin with https:// (http:// only for localhost)")
    return value


Domain = Annotated[str, Field(max_length=253, examples=["example.com"]), AfterValidator(_domain)]
ReturnUrl = Annotated[
    str,
    Field(max_length=MOST_URL, examples=["https://app.example.com/signed-in"], json_schema_extra={"format": "uri"}),
    AfterValidator(_return_url),
]
ClientText = Annotated[Text, StringConstraints(min_length=1, max_length=500)]
Challenge = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
Verifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{43,128}$")]


class SsoSettings(Body):
    """How people of the project sign in at their own provider; replaces what was set."""

    issuer: Annotated[Text, StringConstraints(max_length=MOST_URL)] = Field(
        examples=["https://accounts.google.com"],
        description="Exactly as the provider writes it, also as to a slash at the end.",
        json_schema_extra={"format": "uri"},
    )
    client_id: ClientText
    client_secret: Annotated[SecretStr, Field(min_length=1, max_length=1_000)] = unsent()
    allowed_domains: list[Domain] = Field(
        [], max_length=50, description="Domains of verified e-mails that come in; empty: whomever the provider names."
    )
    return_urls: list[ReturnUrl] = Field(
        min_length=1,
        max_length=20,
        description="Where the app takes people back; the first is used unless one is named.",
    )
    role: RoleName | None = Field(None, description="Role of people who are made at their first sign-in.")
    create_unknown: bool = Field(False, description="Whether people nobody knows are made at their first sign-in.")
    enabled: bool = True


class SsoAnswer(Answer):
    issuer: str
    client_id: str
    client_secret: str = Field(description="Its last four characters.", examples=["…7f3a"])
    allowed_domains: list[str]
    return_urls: list[str]
    role: str | None
    create_unknown: bool
    enabled: bool
    redirect_uri: str = Field(description="To be entered at the provider as the redirect URI.")
    start_url: str = Field(description="Where a browser begins.")
    created_at: Time
    updated_at: Time


class SsoTestAnswer(Answer):
    """What the provider says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    algorithms: list[str] = Field(description="Signatures of ID tokens that both sides accept.")
    keys: int = Field(description="Keys that may sign.")


class SsoCode(Body):
    """The code that the app was called with, and the verifier of the challenge it began with, if it sent one."""

    code: str = Field(max_length=4_000, examples=["sc_…"])
    verifier: Verifier | None = None


class SsoLink(Body):
    code: str = Field(max_length=4_000, examples=["sc_…"])
    verifier: Verifier


class SsoLinkAnswer(Answer):
    issuer: str
    subject: str
    email: str | None
