"""For machines: is the process alive, can it take work, what does it count."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tocsin.auth.guard import gate_of, json_response

router = APIRouter(tags=["machine"])


@router.get("/health/live")
async def live() -> Response:
    """200 while the process runs."""
    return json_response({"status": "live"})


@router.get("/health/ready", responses={503: {"description": "Not ready."}})
async def ready(request: Request) -> Response:
    """200 when the database answers and this process is not draining; else 503."""
    if request.app.state.draining:
        return json_response({"status": "draining"}, 503)
    try:
        async with asyncio.timeout(2), gate_of(request).db.unscoped() as session:
            await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError, TimeoutError):
        return json_response({"status": "database unavailable"}, 503)
    return json_response({"status": "ready", "broker": request.app.state.broker.healthy})


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics() -> Response:
    """Prometheus metrics of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
