"""Rendering of every failure as problem+json, expected or not."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from tocsin.kit.errors import (
    BadRequest,
    FieldError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    Problem,
    Unavailable,
)
from tocsin.kit.strict_json import escaped

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger(__name__)

_CODES = {"missing": "required", "extra_forbidden": "unknown_field"}
_DETAILS = {"missing": "This field is required.", "extra_forbidden": "There is no such field."}

# The database is away, restarting, full, or too busy to take one more: the caller should come back.
_AWAY = ("08", "53", "57", "55P03", "40001", "40P01", "25006")


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
        return _from_validation(error)
    if isinstance(error, HTTPException):
        return _from_http(error)
    if is_away(error):
        log.warning("database unavailable", error=str(error)[:300])
        return Unavailable("database_unavailable", "The database does not answer at the moment; try again.")
    log.error("unexpected failure", exc_info=error)
    return Problem("internal_error", "Something went wrong on our side; the request id leads to the trace.")


def is_away(error: BaseException) -> bool:
    """Whether a failure says that the database cannot be reached or cannot take the work now."""
    if isinstance(error, PoolTimeout | asyncio.TimeoutError | ConnectionError | InterfaceError):
        return True
    cause = error
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig is not None and error.orig.__cause__ is not None else error
    # What asyncpg says when a connection ends at the wrong moment ("cannot switch to state ...").
    if isinstance(cause, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return True
    if isinstance(cause, asyncpg.PostgresError):
        return (cause.sqlstate or "").startswith(_AWAY)
    return isinstance(cause, OperationalError | ConnectionError | OSError)


def _from_validation(error: RequestValidationError) -> Problem:
    errors = [_field_error(item) for item in error.errors()[:50]]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return BadRequest("malformed_json", "The body is not valid JSON.")
    if all(item["loc"][:1] == ("body",) and len(item["loc"]) == 1 for item in error.errors()):
        detail = "The request needs a JSON object as its body."
        return Invalid([FieldError("", item.code, detail) for item in errors[:1]])
    return Invalid(errors)


def _field_error(item: dict[str, Any]) -> FieldError:
    where, *path = item["loc"]
    pointer = "".join(f"/{escaped(part)}" for part in (path if where == "body" else [where, *path]))
    kind = item["type"]
    words = _DETAILS.get(kind) or str(item["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    words = words[:1].upper() + words[1:]
    return FieldError(pointer, _CODES.get(kind, kind), words if words.endswith(".") else words + ".")


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
