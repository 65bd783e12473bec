"""Rows of deliveries and their attempts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table


class Delivery(Table):
    __tablename__ = "deliveries"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    notification_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    destination_id: Mapped[UUID | None]
    channel: Mapped[str]
    connection_id: Mapped[UUID | None]
    connection_reason: Mapped[str | None]
    address_id: Mapped[UUID | None]
    address: Mapped[str | None]
    state: Mapped[str]
    gathered_into: Mapped[UUID | None]
    ready: Mapped[bool]
    rank: Mapped[int]
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    crashes: Mapped[int]
    last_error: Mapped[str | None]
    provider_message_id: Mapped[str | None]
    captured: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Attempt(Table):
    __tablename__ = "attempts"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    env: Mapped[str]
    connection_id: Mapped[UUID | None]
    outcome: Mapped[str]
    status: Mapped[int | None]
    answer: Mapped[str | None]
    error: Mapped[str | None]
    started_at: Mapped[datetime]
    duration_ms: Mapped[int]
    next_due_at: Mapped[datetime | None]
