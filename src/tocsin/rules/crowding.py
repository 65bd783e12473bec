"""At most 200 active rules can meet one event type (E6), counted exactly and before it happens.

A type is met by the rules of its own name, of each of its dotted prefixes and, unless it is one of Tocsin's own
(``:own``), of ``*``. Whatever a project's patterns are, a most crowded type is found among the patterns themselves: a
named type, or any other type directly under a prefix, which stands for all those that no longer pattern knows.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import Conflict, FieldError
from tocsin.rules.matching import OWN, patterns_for

MOST_RULES = 200

# Saving keeps of a rule's patterns only the widest, so a rule meets a type by one of them at most, and the
# sum over patterns is the number of rules.
_CROWDED = text("""
WITH counted AS MATERIALIZED (
    SELECT p.pattern, count(*) AS n FROM tocsin.rule_patterns p
    WHERE p.project_id = :project AND p.rule_id <> :rule GROUP BY p.pattern
), candidates AS (
    SELECT unnest(CAST(:mine AS text[])) AS pattern
    UNION
    SELECT c.pattern FROM counted c
    WHERE EXISTS (SELECT 1 FROM unnest(CAST(:beginnings AS text[])) AS b (words)
        WHERE starts_with(c.pattern, b.words) AND (b.words <> '' OR NOT starts_with(c.pattern, :own)))
), split AS (
    SELECT c.pattern, string_to_array(c.pattern, '.') AS words FROM candidates c
), met AS (
    SELECT s.pattern, s.pattern AS by FROM split s
    UNION
    SELECT s.pattern, array_to_string(s.words[1:n], '.') || '.*'
    FROM split s CROSS JOIN generate_series(1, cardinality(s.words) - 1) AS n
    UNION
    SELECT s.pattern, '*' FROM split s WHERE NOT starts_with(s.pattern, :own)
)
SELECT m.pattern FROM met m JOIN counted c ON c.pattern = m.by
GROUP BY m.pattern HAVING sum(c.n) >= :most ORDER BY sum(c.n) DESC, m.pattern LIMIT 1
""")


async def refuse_crowding(
    session: AsyncSession, project_id: UUID, rule_id: UUID, patterns: Sequence[str], pointer: str = "/eventTypes/{}"
) -> None:
    """Raise Conflict when one more active rule with these patterns would be too many for some type. ``pointer`` is
    the place of a pattern, by its number.

    The caller holds ``lock_rules``: two rules saved at once would not see each other.
    """
    crowded = await session.scalar(
        _CROWDED,
        {
            "project": project_id,
            "rule": rule_id,
            "mine": list(patterns),
            "beginnings": [pattern.removesuffix("*") for pattern in patterns if pattern.endswith("*")],
            "own": OWN,
            "most": MOST_RULES,
        },
    )
    if crowded is None:
        return
    index = next(index for index, pattern in enumerate(patterns) if pattern in patterns_for(crowded))
    detail = f"{MOST_RULES} active rules meet {crowded!r} already; switch one of them off first."
    raise Conflict("too_many_rules", detail, errors=[FieldError(pointer.format(index), "too_many_rules", detail)])


async def lock_rules(session: AsyncSession, project_id: UUID) -> None:
    """Let nobody else save rules of this project until the end of the transaction."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"rules:{project_id}"}
    )
