"""The catalogue of plans: data of the platform, which a super admin edits (Q1)."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import as_json
from tocsin.kit.errors import Conflict, FieldError
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.schema import WHOLE, Answer, Body, Text
from tocsin.plans.quotas import FEATURES

MOST_PLANS = 50

# A trillion is far beyond anything counted, and far within what PostgreSQL counts with.
Limit = Annotated[int, Field(ge=0, le=10**12)] | None


class Quotas(Body):
    """What a plan allows. Null is unlimited, 0 none at all; each is said, so that leaving one out lifts none."""

    events: Limit = Field(description="A month.")
    notifications: Limit = Field(description="A month: what rules make of events.")
    messages: Limit = Field(description="A month: of campaigns, workflows and scheduled ones.")
    users: Limit
    team_members: Limit = Field(description="Users whose roles open the panel.")
    rules: Limit
    sounds: Limit
    campaigns: Limit
    bots: Limit = Field(description="Bots and phone numbers of the project.")
    webhooks: Limit
    api_calls_per_hour: Limit
    storage_bytes: Limit
    sandbox_events_per_day: Limit = Field(description="Of the test environment, which counts towards nothing else.")


def _known(names: list[str]) -> list[str]:
    if strange := sorted(set(names) - FEATURES.keys()):
        raise ValueError(f"there is no feature {strange[0]!r}; there are {', '.join(FEATURES)}")
    return [name for name in FEATURES if name in names]


Features = Annotated[list[str], AfterValidator(_known), Field(max_length=len(FEATURES), examples=[["webhooks"]])]
PlanName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Words = Annotated[Text, StringConstraints(min_length=1, max_length=100)]


class PlanBody(Body):
    """A plan."""

    name: PlanName
    label: Words = Field(description="As people read it.")
    monthly_price_cents: Annotated[int, Field(ge=0, le=10**9)] | None = Field(description="USD; null: as agreed.")
    quotas: Quotas
    features: Features
    overage: bool = Field(False, description="Whether the quotas of a month may be overdrawn, and are metered.")
    grace_days: Annotated[
        int, Field(ge=0, le=365, description="For unpaid bills and for totals over the limit."), WHOLE
    ] = 7
    support: Words


class PlansBody(Body):
    """The whole catalogue, the cheapest plan first."""

    plans: list[PlanBody] = Field(min_length=1, max_length=MOST_PLANS)


class PlanAnswer(Answer):
    name: str
    label: str
    monthly_price_cents: int | None
    quotas: dict[str, int | None]
    features: list[str]
    overage: bool
    grace_days: int
    support: str
    currency: Literal["USD"] = "USD"


async def read_catalogue(session: AsyncSession) -> list[PlanAnswer]:
    """Every plan, the cheapest first; from any scope."""
    rows = await session.execute(text("SELECT * FROM tocsin.plan_catalogue()"))
    return [PlanAnswer.model_validate(row) for row in rows]


async def label_of(session: AsyncSession, name: str) -> str:
    """The plan as people read it, from any scope; by its name where the catalogue does not have it."""
    return await session.scalar(_LABEL, {"name": name}) or name


_LABEL = text("SELECT label FROM tocsin.plan_catalogue() WHERE name = :name")


async def replace_catalogue(session: AsyncSession, plans: Sequence[PlanBody], kept: Sequence[str] = ()) -> None:
    """Make these the plans, in a transaction of the platform's project; ``kept`` are names that must stay.

    Counts from the next call on. Raises Conflict for a name that is there twice, and for a plan that would go while a
    project is on it.
    """
    names = [plan.name for plan in plans]
    if len(set(names)) < len(names):
        raise _refused("plan_doubled", "A plan is named twice.")
    before = {plan.name: plan for plan in await read_catalogue(session)}
    used = set(await session.scalars(text("SELECT * FROM tocsin.plans_in_use()")))
    if gone := sorted(before.keys() & used.union(kept) - set(names)):
        raise _refused("plan_in_use", f"The plan {gone[0]} is in use and cannot be left out.")
    rows = [
        {**plan.model_dump(), "quotas": plan.quotas.model_dump(by_alias=True), "position": position}
        for position, plan in enumerate(plans, start=1)
    ]
    await session.execute(_REMOVE, {"names": names})
    await session.execute(_WRITE, {"platform": PLATFORM_ID, "rows": as_json(rows)})
    # A quota may have got a limit, or lost it for a while: what its counter says may be too little.
    after = await read_catalogue(session)
    changed = [plan.name for plan in after if plan.name in before and _counts(plan) != _counts(before[plan.name])]
    await session.execute(text("SELECT tocsin.forget_counters(:names)"), {"names": changed})


def _counts(plan: PlanAnswer) -> tuple[dict[str, int | None], bool]:
    return plan.quotas, plan.overage


_REMOVE = text("DELETE FROM tocsin.plans WHERE name <> ALL (:names)")
_WRITE = text("""
INSERT INTO tocsin.plans (project_id, name, position, label, monthly_price_cents, quotas, features, overage, grace_days,
    support)
SELECT :platform, n.name, n.position, n.label, n.monthly_price_cents, n.quotas,
    ARRAY(SELECT json_array_elements_text(n.features)), n.overage, n.grace_days, n.support
FROM json_to_recordset(CAST(:rows AS json)) AS n (name text, position integer, label text, monthly_price_cents bigint,
    quotas json, features json, overage boolean, grace_days integer, support text)
ON CONFLICT (project_id, name) DO UPDATE SET position = excluded.position, label = excluded.label,
    monthly_price_cents = excluded.monthly_price_cents, quotas = excluded.quotas, features = excluded.features,
    overage = excluded.overage, grace_days = excluded.grace_days, support = excluded.support
""")


def _refused(code: str, detail: str) -> Conflict:
    return Conflict(code, detail, errors=[FieldError("/plans", code, detail)])
