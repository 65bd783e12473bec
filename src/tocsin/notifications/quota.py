"""The month's quota of notifications: what is over it is kept and not sent (Q2)."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg

from tocsin.notifications.write import NewNotification
from tocsin.plans.monthly import Held, hold

QUOTA = "notifications"


def may_be_limited(limited: bool, env: str, made: Sequence[NewNotification]) -> bool:
    """Whether any of these counts towards a quota, where their project has one: nothing in the sandbox does, nor what
    Tocsin tells of itself."""
    return limited and env == "live" and any(not n.internal for n in made)


async def hold_quota(connection: asyncpg.Connection, project_id: UUID, made: Sequence[NewNotification]) -> Held:
    """Hold what these would count towards, if they all were written."""
    return await hold(connection, project_id, QUOTA, [n.id for n in made if not n.internal])


async def within_quota(
    connection: asyncpg.Connection, quota: Held, made: Sequence[NewNotification]
) -> list[NewNotification]:
    """Count those that are written, and mark the ones there is nothing left for."""
    over = await quota.spend(connection, [n.id for n in made if not n.internal])
    return [replace(n, over_quota=True) if n.id in over else n for n in made]
