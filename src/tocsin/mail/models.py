"""Rows of the platform's own mail."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table

_NOW = text("now()")


class Mail(Table):
    __tablename__ = "mails"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    user_id: Mapped[UUID | None]
    kind: Mapped[str]
    recipient: Mapped[str]
    details: Mapped[str]
    state: Mapped[str]
    due_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    give_up_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    lease_token: Mapped[UUID | None]
    last_error: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
