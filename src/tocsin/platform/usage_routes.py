"""What each project has used, over HTTP, for platform admins."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from sqlalchemy import text

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.pagination import Limit, Page
from tocsin.plans.usage import Period
from tocsin.projects.usage_routes import CountsAnswer, Since, Until, span

router = guarded_router(tags=["platform"])

_PAGE = text("""
WITH listed AS MATERIALIZED (SELECT * FROM tocsin.usage_of_projects(:since, :until, :after, :most))
SELECT l.*, coalesce(c.api_calls, 0) AS api_calls, coalesce(c.api_errors, 0) AS api_errors
FROM listed l
LEFT JOIN tocsin.calls_of_projects(ARRAY(SELECT project_id FROM listed), :since, :until) c USING (project_id)
ORDER BY l.project_id
""")


class ProjectUsageAnswer(CountsAnswer):
    project_id: UUID
    slug: str
    name: str
    plan: str


@router.get("/platform/usage")
@needs("platform:read")
async def list_usage(
    call: Called,
    limit: Annotated[Limit, Query(description="Items per page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=500, description="`nextCursor` of the page before.")] = None,
    period: Period = "monthly",
    since: Since = None,
    until: Until = None,
) -> Page[ProjectUsageAnswer]:
    """What each project used live over whole days or months of UTC, the oldest project first; a minute old at most."""
    first, end = span(period, since, until)
    after = call.gate.cursors.open(call.place, cursor) if cursor is not None else PLATFORM_ID
    rows = (await call.session.execute(_PAGE, {"since": first, "until": end, "after": after, "most": limit + 1})).all()
    more = len(rows) > limit
    return Page[ProjectUsageAnswer](
        items=[ProjectUsageAnswer.model_validate(row) for row in rows[:limit]],
        nextCursor=call.gate.cursors.seal(call.place, rows[limit - 1].project_id) if more else None,
    )
