"""Rows of connections."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table

_NOW = text("now()")


class Connection(Table):
    """``credentials`` is sealed JSON; ``settings`` is plain JSON, both as ``Described.revealed`` writes it."""

    __tablename__ = "connections"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    provider: Mapped[str]
    channel: Mapped[str]
    owner: Mapped[str]
    user_id: Mapped[UUID | None]
    name: Mapped[str]
    credentials: Mapped[str | None]
    settings: Mapped[dict[str, Any]]
    account: Mapped[dict[str, Any] | None]
    is_default: Mapped[bool]
    use_as_fallback: Mapped[bool]
    status: Mapped[str]
    status_reason: Mapped[str | None]
    suspended_by: Mapped[str | None]
    verified_at: Mapped[datetime | None]
    account_claim: Mapped[bytes | None]
    health_status: Mapped[str] = mapped_column(server_default="unknown")
    last_health_check: Mapped[datetime | None]
    rate_limit_rps: Mapped[int | None]
    max_concurrent: Mapped[int | None]
    ceilings: Mapped[dict[str, Any] | None]
    next_check_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    refusals: Mapped[int] = mapped_column(server_default=text("0"))
    warnings: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    warned: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    paused_until: Mapped[datetime | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)


class ConnectionCheck(Table):
    """What a scheduled check found."""

    __tablename__ = "connection_checks"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    outcome: Mapped[str]
    status: Mapped[int | None]
    error: Mapped[str | None]
    duration_ms: Mapped[int]
    checked_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class Destination(Table):
    """A named place that a connection reaches and that is no person; ``target`` is its address at the provider."""

    __tablename__ = "destinations"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    connection_id: Mapped[UUID]
    name: Mapped[str]
    target: Mapped[str]
    enabled: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)


class ConnectionVisit(Table):
    """Somebody who looks into a connection that is not theirs, on the record, until it expires."""

    __tablename__ = "connection_visits"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    env: Mapped[str]
    visitor: Mapped[str]
    reason: Mapped[str]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
