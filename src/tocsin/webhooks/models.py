"""Rows of endpoints, of messages on their way to them, and of attempts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table

_NOW = text("now()")


class WebhookEndpoint(Table):
    __tablename__ = "webhook_endpoints"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    url: Mapped[str]
    description: Mapped[str | None]
    event_types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    timeout_seconds: Mapped[int]
    secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    is_primary: Mapped[bool]
    status: Mapped[str] = mapped_column(server_default="active")
    status_reason: Mapped[str | None]
    failing_since: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default="0")
    last_success_at: Mapped[datetime | None]
    last_failure_at: Mapped[datetime | None]
    recover_since: Mapped[datetime | None]
    recover_until: Mapped[datetime | None]
    recovered: Mapped[int] = mapped_column(server_default="0")
    recovered_at: Mapped[datetime | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class WebhookMessage(Table):
    __tablename__ = "webhook_messages"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    endpoint_id: Mapped[UUID]
    event_type: Mapped[str]
    delivery_id: Mapped[UUID | None]
    state: Mapped[str]
    ready: Mapped[bool]
    rank: Mapped[int]
    due_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    tries: Mapped[int] = mapped_column(server_default="0")
    attempts: Mapped[int] = mapped_column(server_default="0")
    crashes: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    finished_at: Mapped[datetime | None]


class WebhookAttempt(Table):
    __tablename__ = "webhook_attempts"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    env: Mapped[str]
    outcome: Mapped[str]
    status: Mapped[int | None]
    answer: Mapped[str | None]
    error: Mapped[str | None]
    started_at: Mapped[datetime]
    duration_ms: Mapped[int]
    next_due_at: Mapped[datetime | None]
