"""Rows of templates."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table

_NOW = text("now()")


class Template(Table):
    """``channel`` is empty where it is for all that have no template of their own."""

    __tablename__ = "templates"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    channel: Mapped[str]
    language: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW)
