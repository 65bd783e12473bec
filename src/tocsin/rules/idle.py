"""Whether rules are outside of their active times at a moment: one that skips matches nothing then (R4)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from tocsin.kit.db import as_json
from tocsin.rules.jobs import RuleOutcome


async def idle_reasons(
    connection: asyncpg.Connection,
    project_id: UUID,
    times: Sequence[Mapping[str, Any] | None],
    moments: Sequence[datetime | None],
) -> list[str | None]:
    """For each pair of active times and a moment (None is now) why a rule would match nothing then; None if it would.
    One query at most."""
    if not any(times):
        return [None] * len(times)
    rows = await connection.fetch(_IDLE, project_id, [as_json(each) for each in times], list(moments))
    return [row["reason"] for row in rows]


_IDLE = """
SELECT tocsin.idle_reason($1, a.hours::json, coalesce(a.moment, now())) AS reason
FROM unnest($2::text[], $3::timestamptz[]) WITH ORDINALITY AS a (hours, moment, nth) ORDER BY a.nth
"""


def unless_idle(outcome: RuleOutcome, reason: str | None) -> RuleOutcome:
    """What a rule says at a moment at which it matches nothing for that reason, if there is one. What does not match
    anyway keeps its own, and what was printed stays to be seen."""
    if reason is None or not outcome.matched:
        return outcome
    return replace(outcome, matched=False, reason=reason, error="")
