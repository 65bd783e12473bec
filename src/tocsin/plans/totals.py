"""Totals: how many users, rules or connections a project may have (Q2), exact for any number of processes.

One transaction of a project at a time adds to a total that is limited, and counts what is there. Adding is refused,
having is not: after a downgrade a project keeps what it has and can change it. The sandbox is not limited.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import Forbidden
from tocsin.plans.catalogue import label_of
from tocsin.plans.entitlements import Entitlements, entitlements

COUNTS = {
    "users": text("SELECT count(*) FROM tocsin.users WHERE project_id = :project AND env = 'live'"),
    "teamMembers": text("""
        SELECT count(DISTINCT h.user_id) FROM tocsin.user_roles h
        JOIN tocsin.roles r ON r.project_id = h.project_id AND r.id = h.role_id
        WHERE h.project_id = :project AND h.env = 'live'
            AND EXISTS (SELECT FROM unnest(r.permissions) AS p (name) WHERE p.name <> 'own:manage')"""),
    # Those that hear of Tocsin's own occurrences alone are free, as those are: every project begins with one.
    "rules": text("""
        SELECT count(*) FROM tocsin.rules r WHERE r.project_id = :project AND r.env = 'live' AND (r.clock IS NOT NULL
            OR EXISTS (SELECT FROM unnest(r.event_types) AS t (type) WHERE NOT starts_with(t.type, 'tocsin.')))"""),
    "bots": text("""
        SELECT count(*) FROM tocsin.connections
        WHERE project_id = :project AND env = 'live' AND owner = 'project' AND channel NOT IN ('webhook', 'email')"""),
    "webhooks": text("""
        SELECT (SELECT count(*) FROM tocsin.connections
            WHERE project_id = :project AND env = 'live' AND owner = 'project' AND channel = 'webhook')
        + (SELECT count(*) FROM tocsin.webhook_endpoints
            WHERE project_id = :project AND env = 'live' AND status <> 'removed')"""),
    "sounds": text("SELECT count(*) FROM tocsin.sounds WHERE project_id = :project AND env = 'live'"),
    "storageBytes": text("""
        SELECT coalesce(sum(bytes), 0) FROM tocsin.sounds WHERE project_id = :project AND env = 'live'"""),
}
"""The totals that are counted today; the others of the catalogue have nothing to count yet."""


def total_of(channel: str) -> str | None:
    """What a connection of a channel counts towards: a bot or phone number, a webhook, or nothing (e-mail accounts)."""
    return {"webhook": "webhooks", "email": None}.get(channel, "bots")


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


@asynccontextmanager
async def room_for(session: AsyncSession, project_id: UUID, env: str, *totals: str) -> AsyncIterator[None]:
    """Refuse what happens inside if it takes one of these totals over the project's limit.

    Other transactions that add to the same wait until this one ends; so it stands before anything that locks rows.
    """
    limited = await _hold(session, project_id, totals) if env == "live" else None
    if limited is None:
        yield
        return
    before = [await _count(session, project_id, total) for total in totals]
    yield
    await session.flush()
    for total, had in zip(totals, before, strict=True):
        limit = limited.limit(total)
        if limit is not None and await _count(session, project_id, total) > max(limit, had):
            raise await limit_reached(session, total, limited)


async def refuse_when_full(session: AsyncSession, project_id: UUID, env: str, total: str) -> None:
    """Refuse to add one, before anything else is known of it; others wait until this transaction ends."""
    limited = await _hold(session, project_id, (total,)) if env == "live" else None
    limit = limited.limit(total) if limited else None
    if limited is not None and limit is not None and await _count(session, project_id, total) >= limit:
        raise await limit_reached(session, total, limited)


async def standing(session: AsyncSession, project_id: UUID) -> dict[str, int]:
    """How many of each total the project has."""
    return {total: await _count(session, project_id, total) for total in COUNTS}


async def limit_reached(session: AsyncSession, total: str, allowed: Entitlements) -> Forbidden:
    plan = await label_of(session, allowed.plan)
    detail = f"The plan {plan} allows {allowed.limit(total):,} {total}, and the project has them all."
    if total == "storageBytes":
        detail = f"The plan {plan} keeps {allowed.limit(total):,} bytes of files, and this would be more."
    return Forbidden("limit_reached", detail, more={"quota": total, "limit": allowed.limit(total)})


async def _hold(session: AsyncSession, project_id: UUID, totals: Sequence[str]) -> Entitlements | None:
    """Let one transaction at a time add to these totals; None where none of them is limited."""
    allowed = await entitlements(session, project_id)
    limited = sorted(total for total in totals if allowed.limit(total) is not None)
    for total in limited:
        await session.execute(_LOCK, {"name": f"total {project_id} {total}"})
    return allowed if limited else None


async def _count(session: AsyncSession, project_id: UUID, total: str) -> int:
    return int(await session.scalar(COUNTS[total], {"project": project_id}) or 0)
