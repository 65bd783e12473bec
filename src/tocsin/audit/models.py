"""The mapped table of the log. Columns of the chain are filled by the database alone."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table


class AuditEntry(Table):
    __tablename__ = "audit_log"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    action: Mapped[str]
    actor_type: Mapped[str]
    actor_id: Mapped[str | None]
    resource_type: Mapped[str]
    resource_id: Mapped[str | None]
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    ip_address: Mapped[str | None]
    user_agent: Mapped[str | None]
    request_id: Mapped[str | None]
    at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    seq: Mapped[int | None]
    hash: Mapped[bytes | None]
