"""What a project may: its plan with the project's overrides over it. The one place that answers this (Q1, Q6)."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import Forbidden
from tocsin.plans.catalogue import label_of


@dataclass(frozen=True, slots=True)
class Entitlements:
    """Quotas by name, None for unlimited; the features there are."""

    plan: str
    quotas: dict[str, int | None]
    features: frozenset[str]
    overage: bool
    grace_days: int

    def limit(self, quota: str) -> int | None:
        """What the quota allows; None: as much as you like."""
        return self.quotas.get(quota)


async def entitlements(session: AsyncSession, project_id: UUID) -> Entitlements:
    """What the project may now. Read each time: a changed plan counts from the next call on, in every process."""
    row = (
        await session.execute(
            text("SELECT * FROM tocsin.entitlements(ARRAY[CAST(:project AS uuid)])"), {"project": project_id}
        )
    ).one()
    return Entitlements(row.plan, row.quotas, frozenset(row.features), row.overage, row.grace_days)


async def check_feature(session: AsyncSession, project_id: UUID, feature: str) -> None:
    """Refuse what the plan does not have, naming the cheapest plan that does."""
    allowed = await entitlements(session, project_id)
    if feature in allowed.features:
        return
    plan = await label_of(session, allowed.plan)
    having = (await plans_having(session, [feature]))[feature]
    where = f"the plan {having} has it" if having else "no plan has it at the moment"
    raise Forbidden("feature_not_in_plan", f"The plan {plan} does not have the feature {feature}; {where}.")


async def plans_having(session: AsyncSession, features: Iterable[str]) -> dict[str, str | None]:
    """The cheapest plan that has each feature, as people read it; None where none has it."""
    rows = await session.execute(_HAVING, {"features": sorted(features)})
    return {row.feature: row.label for row in rows}


_HAVING = text("""
SELECT f.feature, (SELECT c.label FROM tocsin.plan_catalogue() AS c WHERE f.feature = ANY (c.features)
    ORDER BY c.position LIMIT 1) AS label
FROM unnest(CAST(:features AS text[])) AS f (feature)
""")
