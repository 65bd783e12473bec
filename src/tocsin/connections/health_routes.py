"""How a connection is doing, over HTTP: what checks found, and what was sent."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query
from pydantic import Field
from sqlalchemy import select

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.connections.checks import is_checked
from tocsin.connections.models import ConnectionCheck
from tocsin.connections.rows import find
from tocsin.connections.schemas import Status
from tocsin.connections.stats import ConnectionStatsAnswer, lent_stats_of, stats_of
from tocsin.kit.errors import NotFound
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import Answer, PathId, Time

router = guarded_router(tags=["connections"])


class CheckAnswer(Answer):
    """One scheduled check. ``error`` is in the provider's words, without secrets."""

    id: UUID
    outcome: Literal["ok", "temporary", "permanent", "credentials"]
    status: int | None = Field(description="The provider's status, if it answered with one.")
    error: str | None
    duration_ms: int
    checked_at: Time


class HealthAnswer(Answer):
    """How a connection stands now, and the checks of the last 30 days, newest first."""

    status: Status
    status_reason: str | None
    health_status: Literal["unknown", "healthy", "degraded", "failing"]
    last_health_check: Time | None
    next_check_at: Time | None = Field(description="Null where nobody is asked: such a check would send something.")
    paused_until: Time | None = Field(description="While `rate_limited`: when the provider takes messages again.")
    warnings: list[str] = Field(description="What works today and should be seen to, as it was last found.")
    checks: Page[CheckAnswer]


@router.get("/connections/{connection_id}/health", operation_id="read_connection_health")
@needs("connections:read", own=True)
async def health(call: Called, connection_id: PathId, paging: Annotated[Paging, Depends()]) -> HealthAnswer:
    row = await find(call, connection_id)
    query = select(ConnectionCheck).where(ConnectionCheck.connection_id == row.id)
    found: dict[str, Any] = await page(
        call.session, query, ConnectionCheck.id, paging, call.gate.cursors, call.place, CheckAnswer.model_validate
    )
    return HealthAnswer(
        status=row.status,
        status_reason=row.status_reason,
        health_status=row.health_status,
        last_health_check=row.last_health_check,
        next_check_at=row.next_check_at if is_checked(row) else None,
        paused_until=row.paused_until if row.status == "rate_limited" else None,
        warnings=row.warnings,
        checks=Page[CheckAnswer](**found),
    )


@router.get("/connections/{connection_id}/stats", operation_id="read_connection_stats")
@needs("connections:read", own=True)
async def stats(
    call: Called, connection_id: PathId, days: Annotated[int, Query(ge=1, le=30, description="Today included.")] = 7
) -> ConnectionStatsAnswer:
    """What was sent over one of the project's, or for the project over one that the platform lends."""
    try:
        row = await find(call, connection_id)
    except NotFound:
        if call.own_only:
            raise
        return await lent_stats_of(call.session, call.project_id, connection_id, days)
    return await stats_of(call.session, call.project_id, row.id, days)
