"""`/openapi.json` and `/docs`: the generated part, the hand-written part, and pages that work offline."""

import asyncio
from pathlib import Path
from typing import Any

import swagger_ui_bundle
from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi

from tocsin.auth.guard import json_response
from tocsin.events.documented import COMPONENTS as EVENT_COMPONENTS
from tocsin.events.documented import PATHS as EVENT_PATHS
from tocsin.realtime.documented import COMPONENTS as PUSHER_COMPONENTS
from tocsin.realtime.documented import PATHS as PUSHER_PATHS
from tocsin.webhooks import kinds as webhook_kinds

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
        "quota": {"type": "string", "description": "Of `quota_exceeded` and `limit_reached`: what is used up."},
        "limit": {"type": "integer", "description": "Of `limit_reached`: how much of it the plan allows."},
        "resetsAt": {
            "type": "string",
            "format": "date-time",
            "description": "Of `quota_exceeded`: when it begins anew.",
        },
    },
}
_FIELD_ERROR = {
    "type": "object",
    "required": ["pointer", "code", "detail"],
    "properties": {
        "pointer": {"type": "string", "description": "JSON pointer to the mistake."},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "line": {"type": "integer"},
        "column": {"type": "integer"},
    },
}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "apiSecret": {"type": "apiKey", "in": "header", "name": "X-API-Secret"},
    "publicKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_PROBLEMS = {
    "400": "Bad request",
    "401": "Not authenticated",
    "403": "Not allowed",
    "404": "Not found",
    "409": "Conflict",
    "413": "Content too large",
    "415": "Unsupported media type",
    "416": "Range not satisfiable",
    "422": "Invalid content",
    "429": "Too many requests",
    "503": "Temporarily unavailable",
    "508": "Loop detected",
}


def write_openapi(app: FastAPI) -> None:
    """Serve the document and the pages that show it."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build(app)
        return app.openapi_schema

    async def openapi(_request: Request) -> Response:
        return json_response(await asyncio.to_thread(document))  # half a second, the first time

    async def docs(_request: Request) -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Tocsin API",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon-32x32.png",
        )

    app.openapi = document  # type: ignore[method-assign]
    app.add_route("/openapi.json", openapi, include_in_schema=False)
    app.add_route("/docs", docs, include_in_schema=False)


def build(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of everything: each operation with the problems it may answer."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    document["paths"] = _merged(_merged(document["paths"], EVENT_PATHS), PUSHER_PATHS)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    others = {**PUSHER_COMPONENTS, **webhook_kinds.components()}
    schemas.update(EVENT_COMPONENTS, **others, Problem=_PROBLEM, FieldError=_FIELD_ERROR)
    components["securitySchemes"] = _SECURITY
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _add_problems(path, method, operation)
    document["webhooks"] = webhook_kinds.documented()
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def swagger_files() -> Path:
    """The interactive pages' files, which come with a package, so that they work without a network."""
    return Path(swagger_ui_bundle.swagger_ui_path)


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {path: {**one.get(path, {}), **other.get(path, {})} for path in {**one, **other}}


def _add_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    """Name every problem an operation may answer, by what it is."""
    possible = {"503"}
    if path.startswith("/api/"):
        possible |= {"400"}
        if operation.get("security") != []:
            possible |= {"401", "403", "429"}
        if "{" in path:
            possible |= {"404"}
        if operation.get("parameters") or "requestBody" in operation:
            possible |= {"422"}
        if method in ("post", "put", "patch", "delete"):
            possible |= {"409", "413", "415", "422", "429"}
        if operation.get("security") == []:
            possible |= {"401", "403"}
        if method in ("post", "put", "patch"):
            possible |= {"404"}
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)
    declared = {status for status in responses if status in _PROBLEMS}
    for status in sorted(possible | declared):
        answer = responses.setdefault(status, {"description": _PROBLEMS[status]})
        answer.setdefault("content", {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}})
