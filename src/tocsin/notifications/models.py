"""Rows of notifications and of who received them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table


class Notification(Table):
    __tablename__ = "notifications"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    event_id: Mapped[UUID | None]
    event_type: Mapped[str | None]
    client_event_id: Mapped[str | None]
    rule_id: Mapped[UUID | None]
    rule_version: Mapped[int | None]
    title: Mapped[str]
    message: Mapped[str]
    action: Mapped[dict[str, Any] | None]
    translations: Mapped[dict[str, Any] | None]
    sound: Mapped[str | None]
    sound_digest: Mapped[str | None]
    priority: Mapped[str]
    require_ack: Mapped[bool]
    topic: Mapped[str | None]
    gathers: Mapped[int | None]
    acked_at: Mapped[datetime | None]
    acked_by: Mapped[UUID | None]
    acked_by_key: Mapped[UUID | None]
    acked_via: Mapped[str | None]
    acked_as: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class NotificationRecipient(Table):
    """``feed_seq`` counts a person's notifications, in the order they became visible."""

    __tablename__ = "notification_recipients"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    notification_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    feed_seq: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    seen_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    acked_at: Mapped[datetime | None]
    acked_via: Mapped[str | None]
