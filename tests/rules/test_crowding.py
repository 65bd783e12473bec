"""The limit of E6 against counting by hand, over patterns that overlap in every way."""

import random
from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.client import Project
from tests.running import Site
from tocsin.kit.db import Database
from tocsin.kit.errors import Conflict
from tocsin.kit.ids import new_id
from tocsin.rules.crowding import MOST_RULES, refuse_crowding
from tocsin.rules.matching import patterns_for, widest

PATTERNS = ["a", "b", "a.a", "a.b", "a.a.a", "a.a.b", "*", "a.*", "b.*", "a.a.*", "a.b.*", "a.a.a.*"]
PATTERNS += ["tocsin.*", "tocsin.a", "tocsin.a.*", "tocsin.a.a"]
# Every type that the patterns tell apart: the named ones, and one that none of them names under each prefix.
TYPES = ["a", "b", "a.a", "a.b", "a.a.a", "a.a.b", "z", "a.z", "b.z", "a.a.z", "a.b.z", "a.a.a.z"]
TYPES += ["tocsin.a", "tocsin.z", "tocsin.a.a", "tocsin.a.z"]

_WRITE = text("""
WITH made AS (
    INSERT INTO tocsin.rules (project_id, id, env, name, event_types, channels, title)
    SELECT :project, unnest(CAST(:ids AS uuid[])), 'live', 'n', '{}', '{realtime}', 't' RETURNING project_id, id
)
INSERT INTO tocsin.rule_patterns (project_id, pattern, rule_id, env)
SELECT project_id, unnest(CAST(:patterns AS text[])), id, 'live' FROM made
""")


@pytest.mark.parametrize("seed", range(40))
async def test_the_limit_is_exact(acme: Project, site: Site, seed: int) -> None:
    chance = random.Random(seed)
    groups = [(chance.sample(PATTERNS, chance.randint(1, 4)), chance.choice([1, 29, 70, 71, 100])) for _ in range(5)]
    mine = chance.sample(PATTERNS, chance.randint(1, 3))
    db = Database(site.app_url, ordinary=1, hot=0, statement_seconds=5)
    async with db.scope(UUID(acme.id), "live") as session:
        for patterns, count in groups:
            await _write(session, acme.id, patterns, count)
        refused = await _refused(session, acme.id, mine)
        await session.rollback()
    await db.close()
    assert refused == (_most_met(groups, mine) >= MOST_RULES)


async def _write(session: AsyncSession, project: str, patterns: Sequence[str], count: int) -> None:
    ids = [new_id() for _ in range(count)]
    await session.execute(_WRITE, {"project": UUID(project), "ids": ids, "patterns": widest(patterns)})


async def _refused(session: AsyncSession, project: str, mine: Sequence[str]) -> bool:
    try:
        await refuse_crowding(session, UUID(project), new_id(), mine)
    except Conflict:
        return True
    return False


def _most_met(groups: Sequence[tuple[list[str], int]], mine: Sequence[str]) -> int:
    """How many of the rules meet the type that most of them meet, among the types that ``mine`` meet."""

    def meet(patterns: Sequence[str], type_: str) -> bool:
        return bool(set(patterns_for(type_)) & set(patterns))

    return max(sum(n for patterns, n in groups if meet(patterns, type_)) for type_ in TYPES if meet(mine, type_))
