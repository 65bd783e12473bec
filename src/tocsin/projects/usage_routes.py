"""What the project has used, and how its quotas stand, over HTTP."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.errors import FieldError, Invalid
from tocsin.kit.schema import Answer, Time
from tocsin.plans.catalogue import label_of
from tocsin.plans.entitlements import entitlements, plans_having
from tocsin.plans.quotas import FEATURES
from tocsin.plans.usage import LATENCY_BOUNDS_MS, Period, standings, used_by_period

router = guarded_router(tags=["project"])

MOST = {"daily": 366, "monthly": 60}
BY_DEFAULT = {"daily": 30, "monthly": 12}

Day = Annotated[date, Field(ge=date(2020, 1, 1), le=date(2199, 12, 31))]


Since = Annotated[Day | None, Query(alias="from", description="First day, UTC.")]
Until = Annotated[Day | None, Query(alias="to", description="Last day, UTC; today if left out.")]


class BucketAnswer(Answer):
    below_ms: int | None = Field(description="Deliveries that took less than this, and no less than the one before.")
    count: int


class CountsAnswer(Answer):
    """A notification is sent, delivered and failed once for each of its deliveries."""

    events_received: int
    notifications_made: int = Field(description="What counts towards the quota.")
    notifications_over_quota: int
    notifications_sent: int
    notifications_delivered: int
    notifications_failed: int
    acknowledged: int
    webhooks_sent: int
    webhooks_succeeded: int
    api_calls: int = Field(description="Of both environments.")
    api_errors: int = Field(description="Of those, answers of 400 or more.")


class UsageAnswer(CountsAnswer):
    """What was used in one day or month of UTC."""

    start: date = Field(description="The day, or the first of the month.")
    active_users: int = Field(description="People who signed in or came back.")
    latency: list[BucketAnswer] = Field(description="From the decision to send to the provider's answer.")


class StandingAnswer(Answer):
    quota: str = Field(examples=["events"])
    used: int
    limit: int | None = Field(description="Null: unlimited.")
    overage: int = Field(description="Of it over the limit.")
    percent: int | None
    resets_at: Time | None = Field(description="Null for totals, which do not reset.")


class LackedAnswer(Answer):
    feature: str = Field(examples=["webhooks"])
    plan: str | None = Field(description="The cheapest plan that has it, as people read it; null: none has it.")


class UsageReport(Answer):
    plan: str
    plan_label: str = Field(description="The plan as people read it.")
    period: Period
    items: list[UsageAnswer] = Field(description="Periods in which anything happened, oldest first.")
    quotas: list[StandingAnswer] = Field(description="As they stand now.")
    lacks: list[LackedAnswer] = Field(description="Features that the plan does not have.")


@router.get("/projects/me/usage", operation_id="read_usage")
@needs("project:read")
async def read_usage(
    call: Called,
    period: Period = "daily",
    since: Since = None,
    until: Until = None,
) -> UsageReport:
    """Usage by day or month of UTC, counted from what is stored; up to a minute old. Quotas are exact."""
    allowed = await entitlements(call.session, call.project_id)
    first, end = span(period, since, until)
    lacked = await plans_having(call.session, FEATURES.keys() - allowed.features)
    return UsageReport(
        plan=allowed.plan,
        plan_label=await label_of(call.session, allowed.plan),
        period=period,
        items=[
            shown(used) for used in await used_by_period(call.session, call.project_id, call.env, period, first, end)
        ],
        quotas=[
            StandingAnswer.model_validate(stands) for stands in await standings(call.session, call.project_id, call.env)
        ],
        lacks=[LackedAnswer(feature=feature, plan=plan) for feature, plan in lacked.items()],
    )


def span(period: Period, since: date | None, until: date | None) -> tuple[datetime, datetime]:
    """The moments from the first period asked for to the end of the last. Raises Invalid for one that is too long."""
    last = until or datetime.now(UTC).date()
    length = timedelta(days=BY_DEFAULT[period] * (31 if period == "monthly" else 1))
    first = since or max(last - length + timedelta(days=1), date(2020, 1, 1))
    if period == "monthly":
        first, last = (
            first.replace(day=1),
            (last.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1),
        )
    if first > last:
        raise Invalid([FieldError("/query/from", "range", "from must not be after to.")])
    periods = (last - first).days // (28 if period == "monthly" else 1)
    if periods > MOST[period]:
        raise Invalid([FieldError("/query/from", "range", f"At most {MOST[period]} periods can be read at once.")])
    return _midnight(first), _midnight(last + timedelta(days=1))


def shown(used: dict[str, Any]) -> UsageAnswer:
    bounds: list[int | None] = [*LATENCY_BOUNDS_MS, None]
    buckets = [BucketAnswer(below_ms=bound, count=n) for bound, n in zip(bounds, used["latency"], strict=True)]
    return UsageAnswer.model_validate({**used, "start": used["period"], "latency": buckets})


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
