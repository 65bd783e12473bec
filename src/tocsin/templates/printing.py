"""One text of a project, printed in the child."""

import asyncio
from datetime import UTC, datetime

import msgspec

from tocsin.kit.ids import new_id
from tocsin.kit.schema import iso
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.jobs import Event, Job, RuleOutcome

# Below the 10 s after which PostgreSQL ends a transaction that asks nothing.
MOST_SECONDS = 6


async def printed(evaluator: Evaluator, job: Job) -> RuleOutcome:
    """The outcome of the one text of a job. Raises EvaluatorUnavailable and TimeoutError."""
    async with asyncio.timeout(MOST_SECONDS):
        (outcome,) = await evaluator.evaluate([job])
    return outcome.rules[0]


def empty_event(payload: dict[str, str]) -> Event:
    """The event of what is no event's: its values stand under ``payload``."""
    return Event(str(new_id()), "template.preview", "", iso(datetime.now(UTC)), msgspec.json.encode(payload))
