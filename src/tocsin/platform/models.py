"""Rows of the operator's own doings."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table


class Visit(Table):
    __tablename__ = "visits"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    admin_id: Mapped[UUID]
    admin_name: Mapped[str]
    reason: Mapped[str]
    writes: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
