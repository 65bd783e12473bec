"""Finding rules and showing them."""

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import NotFound
from tocsin.rules.models import Rule
from tocsin.rules.schemas import RuleAnswer
from tocsin.rules.targets import Named, read_targets


async def find_rule(session: AsyncSession, rule_id: UUID) -> Rule:
    """The rule as it is now. Raises NotFound."""
    query = select(Rule).where(Rule.id == rule_id).execution_options(populate_existing=True)
    rule = (await session.scalars(query)).one_or_none()
    if rule is None:
        raise NotFound()
    return rule


async def shown(session: AsyncSession, rules: Sequence[Rule]) -> list[RuleAnswer]:
    """Rules as an answer, with their targets, in one query for any number of them."""
    targets = await read_targets(session, [rule.id for rule in rules]) if rules else {}
    return [_shown(rule, targets[rule.id][1]) for rule in rules]


async def shown_one(session: AsyncSession, rule: Rule) -> RuleAnswer:
    (answer,) = await shown(session, [rule])
    return answer


def _shown(rule: Rule, named: Named) -> RuleAnswer:
    told: dict[str, Any] = {
        "target_roles": named.roles,
        "target_users": named.users,
        "escalation": _steps(rule, named),
        "warnings": [],
    }
    fields: dict[str, Any] = {name: getattr(rule, name) for name in RuleAnswer.model_fields if name not in told}
    return RuleAnswer(**fields, **told)


def _steps(rule: Rule, named: Named) -> list[dict[str, Any]] | None:
    """The steps of the escalation; whom one meant may all have been deleted since."""
    if rule.escalation is None:
        return None
    targets = chain(named.steps, repeat(Named()))
    return [
        {**step, "roles": whom.roles, "users": whom.users} for step, whom in zip(rule.escalation, targets, strict=False)
    ]
