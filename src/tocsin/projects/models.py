"""Rows of the tenant's own tables."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table

_NOW = text("now()")

KEPT = timedelta(days=30)
"""So long a cancelled project can be read, exported and restored (T7)."""


class Project(Table):
    __tablename__ = "projects"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]
    slug: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    plan: Mapped[str]
    overrides: Mapped[dict[str, Any] | None]
    trial_ends_at: Mapped[datetime | None]
    region: Mapped[str | None]
    suspended_at: Mapped[datetime | None]
    suspended_reason: Mapped[str | None]
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    owner_id: Mapped[UUID | None]
    settings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    branding: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    compliance: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)

    @property
    def purge_at(self) -> datetime | None:
        """When nothing is left to come back to; until then a cancelled project can be restored."""
        return self.cancelled_at + KEPT if self.cancelled_at else None

    @property
    def billing_email(self) -> str | None:
        """Who hears of quotas by mail, if not the owner: a setting, which the operator's billing changes too."""
        return self.settings.get("billingEmail")

    @billing_email.setter
    def billing_email(self, address: str | None) -> None:
        self.settings = {**self.settings, "billingEmail": address}


class ApiKey(Table):
    __tablename__ = "api_keys"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    name: Mapped[str]
    key: Mapped[str]
    secret_mac: Mapped[bytes]
    secret_hash: Mapped[str]
    previous_mac: Mapped[bytes | None]
    previous_hash: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    status: Mapped[str] = mapped_column(server_default="active")
    allowed_ips: Mapped[list[str]] = mapped_column(ARRAY(Text))
    rate_limit: Mapped[dict[str, Any] | None]
    auto_revoke_after: Mapped[int | None]
    failed_secrets: Mapped[int] = mapped_column(server_default="0")
    created_by: Mapped[UUID | None]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)


class IdentitySecret(Table):
    """What a project's backend signs identity tokens with (A5); sealed, because HMAC needs it readable."""

    __tablename__ = "identity_secrets"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str] = mapped_column(primary_key=True)
    secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)


class RealtimeApp(Table):
    """The project's app of one environment in the Pusher protocol; any active ``pk_`` opens it."""

    __tablename__ = "realtime_apps"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(server_default=text("nextval('tocsin.realtime_app_ids')"))
    secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)


class Domain(Table):
    """The host name a project answers under. ``pending`` until proven; ``suspended`` when its proof went away."""

    __tablename__ = "domains"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str]
    token: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="pending")
    verified_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]
    next_check_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)
