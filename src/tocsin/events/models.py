"""The row of an event, for reading: it is written by the hot path and the worker's hand-written SQL alone."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table


class Event(Table):
    __tablename__ = "events"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    type: Mapped[str]
    payload: Mapped[dict[str, Any]]
    source: Mapped[str | None]
    client_event_id: Mapped[str | None]
    client_timestamp: Mapped[datetime | None]
    received_at: Mapped[datetime]
    state: Mapped[str]
    outcome: Mapped[str | None]
    trace: Mapped[list[Any] | None]
    faults: Mapped[list[Any] | None]
    processed_at: Mapped[datetime | None]
