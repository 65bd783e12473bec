"""Rows of event types: those that are registered, and those that were seen."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table

_NOW = text("now()")


class EventType(Table):
    """``weight`` is what judging by the schema costs at most, per byte of a payload (`weight.py`)."""

    __tablename__ = "event_types"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    schema: Mapped[dict[str, Any] | None]
    weight: Mapped[int]
    example: Mapped[dict[str, Any] | None]
    mode: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)


class SeenType(Table):
    """A type that a project has sent, registered or not."""

    __tablename__ = "seen_event_types"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
