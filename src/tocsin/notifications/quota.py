"""The month's quota of notifications: what is over it is kept and not sent (Q2)."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg

from tocsin.notifications.write import NewNotification
from tocsin.plans.monthly import Held, hold
from tocsin.plans.unlimited import Unlimited

QUOTA = "notifications"


def may_be_limited(project_id: UUID, env: str, made: Sequence[NewNotification], unlimited: Unlimited) -> bool:
    """Whether any of these could count: the sandbox has no quota, nor has who was found to be unlimited just now."""
    return env == "live" and project_id not in unlimited and any(not n.internal for n in made)


async def hold_quota(
    connection: asyncpg.Connection, project_id: UUID, made: Sequence[NewNotification], unlimited: Unlimited
) -> Held:
    """Hold what these would count towards, if they all were written."""
    held = await hold(connection, project_id, QUOTA, [n.id for n in made if not n.internal])
    if not held.counters:
        unlimited.remember(project_id)
    return held


async def within_quota(
    connection: asyncpg.Connection, quota: Held, made: Sequence[NewNotification]
) -> list[NewNotification]:
    """Count those that are written, and mark the ones there is nothing left for."""
    over = await quota.spend(connection, [n.id for n in made if not n.internal])
    return [replace(n, over_quota=True) if n.id in over else n for n in made]
