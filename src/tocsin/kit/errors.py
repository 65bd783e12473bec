"""The one small tree of expected failures, rendered in one place as RFC 9457 problem+json."""

import random
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One mistake in a request: a JSON pointer to it, a stable code, words, and a position inside a text field."""

    pointer: str
    code: str
    detail: str
    line: int | None = None
    column: int | None = None

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"pointer": self.pointer, "code": self.code, "detail": self.detail}
        if self.line is not None:
            body["line"] = self.line
        if self.column is not None:
            body["column"] = self.column
        return body


class Problem(Exception):
    """An expected failure of a request. Subclasses name the status; ``code`` names the cause, and ``more`` what
    programs have to know of it beside the words."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}
        self.more = more or {}

    def as_json(self, request_id: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"https://tocsin.dev/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "requestId": request_id,
            **self.more,
        }
        if self.errors:
            body["errors"] = [error.as_json() for error in self.errors]
        return body


class BadRequest(Problem):
    status, title = 400, "Bad request"


class Unauthorized(Problem):
    status, title = 401, "Not authenticated"


class Forbidden(Problem):
    status, title = 403, "Not allowed"


class NotFound(Problem):
    status, title = 404, "Not found"

    def __init__(self, code: str = "not_found", detail: str = "There is no such thing in this project.") -> None:
        super().__init__(code, detail)


class MethodNotAllowed(Problem):
    status, title = 405, "Method not allowed"


class RequestTimeout(Problem):
    status, title = 408, "Request timeout"


class Conflict(Problem):
    status, title = 409, "Conflict"


class TooLarge(Problem):
    status, title = 413, "Content too large"


class UnsupportedMediaType(Problem):
    status, title = 415, "Unsupported media type"


class RangeNotSatisfiable(Problem):
    status, title = 416, "Range not satisfiable"


class Invalid(Problem):
    status, title = 422, "Invalid content"

    def __init__(self, errors: list[FieldError], code: str = "invalid", detail: str | None = None) -> None:
        super().__init__(code, detail or errors[0].detail, errors=errors)


class HeadersTooLarge(Problem):
    status, title = 431, "Request header fields too large"


class TooManyRequests(Problem):
    status, title = 429, "Too many requests"


class LoopDetected(Problem):
    status, title = 508, "Loop detected"


class Unavailable(Problem):
    """Temporary, ours: the caller should come back after ``Retry-After``, in seconds.

    Unless it is given it is drawn, so that those who were refused together do not come back together.
    """

    status, title = 503, "Temporarily unavailable"

    def __init__(self, code: str, detail: str, retry_after: int | None = None) -> None:
        super().__init__(code, detail, headers={"Retry-After": str(retry_after or random.randint(1, 5))})
