"""Choosing entries of the log; the same filters for a page, for an export, and for whoever reads across projects."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, select

from tocsin.audit.models import AuditEntry
from tocsin.kit.ids import first_id_at

_CLOCKS_APART = timedelta(days=1)
"""An id carries the time of the process that made it, ``at`` that of the database; so far they may differ."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What an entry must be; None does not matter. ``since`` is included, ``until`` is not."""

    action: str | None = None
    actor_type: str | None = None
    actor_id: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    env: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def entries(filters: Filters) -> Select[AuditEntry]:
    """The entries that the session may see and the filters let through, in no order yet."""
    query = select(AuditEntry)
    for name in ("action", "actor_type", "actor_id", "resource_type", "resource_id", "env"):
        wanted = getattr(filters, name)
        if wanted is not None:
            query = query.where(getattr(AuditEntry, name) == wanted)
    # Lists go by id; its bounds keep a look into last year from reading this one.
    if filters.since is not None:
        query = query.where(AuditEntry.at >= filters.since, AuditEntry.id >= first_id_at(filters.since - _CLOCKS_APART))
    if filters.until is not None:
        query = query.where(AuditEntry.at < filters.until, AuditEntry.id < first_id_at(filters.until + _CLOCKS_APART))
    return query
