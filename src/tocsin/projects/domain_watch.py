"""A stage of the worker: whether proven domains still are. Each is looked up once a day.

A TXT record that is gone for a week suspends the domain: whoever has the name by then may prove it. A DNS that
does not answer says nothing, and is asked again within the hour.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.revocation import revoke
from tocsin.kit.db import Database
from tocsin.projects.models import Domain
from tocsin.projects.proof import Names, Unreachable, records

SUSPENDED_AFTER = timedelta(days=7)
_CHECK_EVERY = timedelta(days=1)
_AT_ONCE = 20
_TURN_SECONDS = 3600

log = structlog.get_logger(__name__)


class DomainWatch:
    """Looks at domains that are due, some at a time."""

    def __init__(self, db: Database, names: Names) -> None:
        self._db = db
        self._names = names

    async def run_once(self) -> bool:
        """Whether there may be more."""
        due = await self._db.hot.fetch("SELECT * FROM tocsin.claim_domain_checks($1, $2)", _AT_ONCE, _TURN_SECONDS)
        for project_id, domain_id in due:
            await self._check(project_id, domain_id)
        return len(due) == _AT_ONCE

    async def _check(self, project_id: UUID, domain_id: UUID) -> None:
        async with self._db.scope(project_id, "live") as session:
            domain = await _verified(session, domain_id)
        if domain is None:
            return
        try:
            proven = await self._names.has_txt(records(domain.domain, domain.token, ""))
        except Unreachable as error:
            log.warning("domain not checked", project_id=str(project_id), domain=domain.domain, error=str(error)[:200])
            return
        async with self._db.scope(project_id, "live") as session:
            now = await _verified(session, domain_id)
            if now is not None:
                await _note(session, now, proven)


async def _verified(session: AsyncSession, domain_id: UUID) -> Domain | None:
    found = await session.scalars(
        select(Domain).where(Domain.id == domain_id, Domain.status == "verified").with_for_update()
    )
    return found.one_or_none()


async def _note(session: AsyncSession, domain: Domain, proven: bool) -> None:
    now = datetime.now(UTC)
    domain.checked_at, domain.next_check_at = now, now + _CHECK_EVERY
    domain.missing_since = None if proven else domain.missing_since or now
    if domain.missing_since is None or now - domain.missing_since < SUSPENDED_AFTER:
        return
    domain.status = "suspended"
    await revoke(session, domain.project_id, "domain", domain.domain)
    await record(
        session,
        domain.project_id,
        "live",
        Actor("system", None),
        "domain.suspended",
        "domain",
        domain.id,
        {"domain": domain.domain, "missingSince": domain.missing_since.isoformat()},
    )
    log.info("domain suspended", project_id=str(domain.project_id), domain=domain.domain)
