"""Rows of sounds. Their content is read where it is sent, and nowhere else."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table


class Sound(Table):
    """``digest`` is of the file in the column ``data``."""

    __tablename__ = "sounds"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    name: Mapped[str]
    content_type: Mapped[str]
    duration_ms: Mapped[int]
    bytes: Mapped[int]
    digest: Mapped[str]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class SoundDefaults(Table):
    """Names of sounds by topic and by priority."""

    __tablename__ = "sound_defaults"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str] = mapped_column(primary_key=True)
    topics: Mapped[dict[str, Any]]
    priorities: Mapped[dict[str, Any]]
