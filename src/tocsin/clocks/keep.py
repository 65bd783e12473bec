"""The rows of clocks: one for each active rule that has one, changed in the transaction that changes the rule."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.clocks.schedule import Clock, next_run, zone_named
from tocsin.kit.db import Env, as_json, switch_scope

ENVS: tuple[Env, ...] = ("live", "test")


async def keep_clock(
    session: AsyncSession, project_id: UUID, env: str, rule_id: UUID, clock: Mapping[str, Any] | None
) -> None:
    """Have a rule run by this clock from now on, or by none; one that it has already goes on."""
    where = {"project": project_id, "rule": rule_id, "clock": as_json(clock)}
    if clock is None:
        await session.execute(_STOP, where)
        return
    now, own_zone, kept = (await session.execute(_KEPT, where)).one()
    if kept == clock:
        return
    wanted = msgspec.convert(clock, Clock)
    # Whose time it is, the stage finds out: it looks at once.
    following = now if wanted.by_person else next_run(wanted.line(), zone_of(wanted, own_zone), now)
    await session.execute(_KEEP, {**where, "env": env, "now": now, "next": following or now})


_STOP = text("DELETE FROM tocsin.clocks WHERE project_id = :project AND rule_id = :rule")
_KEPT = text("""
SELECT now(), coalesce(p.settings->>'timezone', 'UTC'), c.clock
FROM tocsin.projects p LEFT JOIN tocsin.clocks c ON c.project_id = p.id AND c.rule_id = :rule
WHERE p.id = :project
""")
_KEEP = text("""
INSERT INTO tocsin.clocks (project_id, env, rule_id, clock, last_at, next_at)
VALUES (:project, :env, :rule, :clock, :now, :next)
ON CONFLICT (project_id, rule_id) DO UPDATE SET clock = excluded.clock, last_at = excluded.last_at,
    next_at = excluded.next_at
""")


def zone_of(clock: Clock, own_zone: str) -> ZoneInfo:
    """The zone that a clock goes by, if not by those of people."""
    return zone_named(own_zone if clock.timezone == "project" else clock.timezone)


async def look_again(session: AsyncSession, project_id: UUID) -> None:
    """Have the clocks of this environment that go by people's time looked at: somebody has another one now.

    A clock that somebody else is changing at the moment is left to them; it is looked at within the hour.
    """
    await session.execute(_LOOK_AGAIN, {"project": project_id, "timezones": ["recipient"]})


async def project_moved(session: AsyncSession, project_id: UUID, env: Env) -> None:
    """The same after the project's zone has changed, for all of its clocks; ``env`` is that of the transaction."""
    for each in ENVS:
        await switch_scope(session, project_id, each)
        await session.execute(_LOOK_AGAIN, {"project": project_id, "timezones": ["recipient", "project"]})
    await switch_scope(session, project_id, env)


_LOOK_AGAIN = text("""
UPDATE tocsin.clocks c SET next_at = now()
FROM (SELECT k.rule_id FROM tocsin.clocks k
    WHERE k.project_id = :project AND k.clock->>'timezone' = ANY (:timezones) FOR UPDATE SKIP LOCKED) k
WHERE c.project_id = :project AND c.rule_id = k.rule_id
""")
