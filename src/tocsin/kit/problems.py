"""Rendering of every failure as problem+json, expected or not."""

import asyncpg
import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from tocsin.kit.away import is_away
from tocsin.kit.errors import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    Problem,
    Unavailable,
)
from tocsin.kit.mistakes import refusal

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Have the application answer every exception as a problem."""
    app.add_exception_handler(Problem, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(SQLAlchemyError, _answer)
    app.add_exception_handler(asyncpg.PostgresError, _answer)
    app.add_exception_handler(OSError, _answer)
    app.add_exception_handler(Exception, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    return rendered(as_problem(error), str(request.scope.get("tocsin.request_id", "")))


def rendered(problem: Problem, request_id: str) -> Response:
    return Response(
        msgspec.json.encode(problem.as_json(request_id)),
        problem.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )


def as_problem(error: BaseException) -> Problem:
    """The problem that an exception means to the caller; what nobody expected is logged with its trace."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return refusal(error.errors())
    if isinstance(error, HTTPException):
        return _from_http(error)
    if is_away(error):
        log.warning("database unavailable", error=str(error)[:300])
        return Unavailable("database_unavailable", "The database does not answer at the moment; try again.")
    log.error("unexpected failure", exc_info=error)
    return Problem("internal_error", "Something went wrong on our side; the request id leads to the trace.")


def _from_http(error: HTTPException) -> Problem:
    if error.status_code == 404:
        return NotFound("no_such_path", "There is nothing at this path; GET /openapi.json lists what there is.")
    if error.status_code == 405:
        allowed = dict(error.headers or {})
        return MethodNotAllowed("method_not_allowed", "This path does not take this method.", headers=allowed)
    if error.status_code == 400:
        return BadRequest("bad_request", str(error.detail))
    problem = Problem("http_error", str(error.detail), headers=dict(error.headers or {}))
    problem.status = error.status_code  # type: ignore[misc]
    return problem
