"""Events that clocks make: which rule each of them is for, and whose time it is (R6)."""

from collections.abc import Collection
from uuid import UUID

import asyncpg
import msgspec

from tocsin.clocks import CLOCK_TYPE, Audience
from tocsin.kit.db import Env


class ClockRun(msgspec.Struct, frozen=True, rename="camel"):
    """What an event says of the run that made it."""

    rule_id: UUID
    timezone: str
    audience: Audience
    chosen_time: str | None = None


_decode = msgspec.json.Decoder(ClockRun).decode


def run_of(type_: str, payload: bytes | msgspec.Raw) -> ClockRun | None:
    """The run that one of Tocsin's own events tells; None where it is another occurrence."""
    return _decode(payload) if type_ == CLOCK_TYPE else None


async def whose_time(
    connection: asyncpg.Connection | asyncpg.Pool, project_id: UUID, env: Env, run: ClockRun, people: Collection[UUID]
) -> frozenset[UUID]:
    """Those of some people whom a run is for."""
    if run.audience == "everybody":
        return frozenset(people)
    summaries = run.audience == "summary"
    ids = await connection.fetchval(_WHOSE, project_id, env, list(people), summaries, run.timezone, run.chosen_time)
    return frozenset(ids)


_WHOSE = "SELECT tocsin.clock_members($1, $2, $3, $4, $5, $6)"
