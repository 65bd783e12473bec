"""Settings of the process: typed, from the environment, refusing nonsense at start.

Every name carries the prefix ``TOCSIN_``; ``TOCSIN_PORT=9000`` sets ``port``.
"""

import re
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PostgresDsn, RedisDsn, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_HOST_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$"


class Settings(BaseSettings):
    """What an operator may set. The defaults run everything on one machine with nothing installed."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_", extra="ignore", frozen=True)

    home: Path = Field(Path(".tocsin"), description="Data folder: database, master key, files.")
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8700, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    public_url: str | None = Field(None, description="How the world reaches this installation, without a path.")

    base_domain: str | None = Field(
        None, pattern=_HOST_NAME, description="Projects answer below it by their slug: acme.alerts.example.com."
    )
    single_project: str | None = Field(
        None, pattern=r"^[a-z0-9-]{1,63}$", description="Slug of the only project served; nobody signs up."
    )
    dns_servers: Annotated[tuple[tuple[str, int], ...], NoDecode] = Field(
        (), description="Resolvers that prove domains: address:port, separated by commas. Empty: the machine's own."
    )
    debug_tenant: bool = Field(False, description="Log for every request which project it is for, and why.")

    database_url: PostgresDsn | None = Field(
        None, description="The installer's login (migrate, up, doctor). Empty: the embedded database."
    )
    app_database_url: PostgresDsn | None = Field(None, description="Login of API and workers.")
    platform_database_url: PostgresDsn | None = Field(
        None, description="Login with which the API reads across projects, for the operator alone."
    )
    db_role_prefix: str = Field(
        "tocsin", pattern=r"^[a-z][a-z0-9_]{0,30}$", description="For two installations in one cluster."
    )
    postgres_bin: Path | None = Field(None, description="Folder of the binaries of the embedded database.")
    redis_url: RedisDsn | None = Field(None, description="Broker between processes. Empty: PostgreSQL.")

    master_key: SecretStr | None = Field(
        None, description="32 bytes, base64. Empty: made at first start and kept in HOME with mode 0600."
    )
    master_key_previous: SecretStr | None = Field(
        None, description="Further master keys that are accepted while the key rotates, separated by commas."
    )
    smtp_url: SecretStr | None = Field(
        None, description="The platform's own mail: smtp://user:password@host:587?from=alerts@example.com"
    )
    allow_private_targets: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (), description="Networks that outgoing calls may reach besides public ones, separated by commas."
    )
    egress_addresses: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (), description="Addresses that outgoing calls come from, separated by commas; published for allow-lists."
    )
    outgoing_proxy: SecretStr | None = Field(
        None,
        description="http://user:password@proxy:3128 through which all calls to tenants' hosts leave."
        " It resolves their names, so it has to refuse private addresses.",
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (),
        description="Networks of our own proxies, separated by commas; their X-Forwarded-For says who the client is.",
    )
    default_plan: str = Field("enterprise", description="Plan of a new project.")
    signup: Literal["open", "invite", "closed"] = Field("open", description="Who may create a project.")

    retention_days: int | None = Field(
        None,
        ge=7,
        le=3650,
        description="Days that events, notifications and deliveries are kept where a project says nothing."
        " Empty: without end.",
    )
    metrics_port: int | None = Field(None, ge=1, le=65535, description="Loopback port of a worker's metrics.")
    realtime: bool = Field(
        True, description="Whether the API serves sockets. Without Redis one process of the installation may."
    )
    slots: int = Field(512, ge=4, le=1024, description="Deliveries one worker has in flight at most.")
    opened_connections: int = Field(
        100,
        ge=1,
        le=100_000,
        description="Connections whose secrets a worker keeps opened at most, under 4 KiB each.",
    )
    lease_seconds: int = Field(
        60, ge=2, le=600, description="After so long the work of a worker that is silent goes to another."
    )
    places: int = Field(64, ge=8, le=4096, description="Requests, events apart, that an API works on at once at most.")
    event_queue: int = Field(
        2_000, ge=8, le=100_000, description="Requests with events that may wait in an API to be stored at most."
    )
    backlog_seconds: int = Field(
        300, ge=5, description="A project whose oldest event or first attempt has waited so long sends no more."
    )
    grace_seconds: float = Field(
        5, ge=0, le=300, description="So long an API that is told to stop goes on serving, not ready any more."
    )
    crash_at: str | None = Field(
        None,
        pattern=r"^[a-z_.]+:[0-9]{1,6}$",
        description="For crash tests alone: point:n ends the process at the nth pass of that point.",
    )
    crash_tests: bool = Field(False, description="Whether crash_at may be given at all.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "text"] = "auto"

    @field_validator("allow_private_targets", "egress_addresses", "trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        return value

    @field_validator("dns_servers", mode="before")
    @classmethod
    def _split_servers(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(_server(part.strip()) for part in value.split(",") if part.strip())
        return value

    @field_validator("outgoing_proxy")
    @classmethod
    def _plain_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or value.get_secret_value() == "":
            return None
        if not re.fullmatch(r"http://([^/@]+@)?[^/@:]+(:[0-9]{1,5})?/?", value.get_secret_value()):
            raise ValueError("must read http://proxy:3128 or http://user:password@proxy:3128")
        return value

    @model_validator(mode="after")
    def _crash_on_purpose_alone(self) -> Self:
        if self.crash_at is not None and not self.crash_tests:
            raise ValueError("TOCSIN_CRASH_AT ends processes at once. It is refused without TOCSIN_CRASH_TESTS=1.")
        return self

    @cached_property
    def public_host(self) -> str | None:
        """The name by which the world reaches this installation; None where it is reached by an address."""
        host = urlsplit(self.public_url or "").hostname
        return host if host and re.fullmatch(_HOST_NAME, host) and not host.rpartition(".")[2].isdigit() else None

    @cached_property
    def base_url(self) -> str:
        """How this installation is reached, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def _server(text: str) -> tuple[str, int]:
    """``127.0.0.1:5353``, ``[::1]:5353``, or an address alone for port 53."""
    address, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        address, port = text, "53"
    return str(ip_address(address.strip("[]"))), int(port)
