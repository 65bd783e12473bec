"""The OpenAPI part of the two hand-written endpoints."""

from dataclasses import replace
from typing import Any

from tocsin.auth.guard import Need, openapi_part
from tocsin.kit.hops import HEADER, MOST_HOPS

_NEED = Need("events:write")

_NO_CONTROLS = r"^[^\u0000-\u001f\u007f-\u009f]*$"


def _json(ref: str, description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{ref}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_VIA = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": f"Of a call by Tocsin that caused the event, passed on as it was. Over {MOST_HOPS} is a loop: 508.",
    "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,3}$"},
}
_LOOP = {"description": "Loop detected"}


def _with_via(part: dict[str, Any]) -> dict[str, Any]:
    return {**part, "parameters": [*part["parameters"], _VIA]}


def _body(ref: str) -> dict[str, Any]:
    return {"required": True, **{k: v for k, v in _json(ref, "").items() if k != "description"}}


PATHS: dict[str, Any] = {
    "/api/v1/events": {
        "post": {
            "tags": ["events"],
            "summary": "Send an event",
            "description": (
                "Answered once the event is durable. With a `clientEventId` (or an Idempotency-Key) a repeat"
                " answers 200 with the first id; the same id with another body is 409. An event that its registered"
                " type refuses is 422 `schema_mismatch` with the places."
            ),
            "operationId": "send_event",
            **_with_via(openapi_part(_NEED, ["POST"])),
            "requestBody": _body("EventIn"),
            "responses": {
                "200": _json("EventAccepted", "A repeat: nothing new was stored."),
                "202": _json("EventAccepted", "Stored."),
                "508": _LOOP,
            },
        }
    },
    "/api/v1/events/batch": {
        "post": {
            "tags": ["events"],
            "summary": "Send up to 1,000 events",
            "description": "A result for each index; a bad event does not spoil the others.",
            "operationId": "send_events",
            **_with_via(openapi_part(replace(_NEED, idempotent=False), ["POST"])),
            "requestBody": _body("EventBatch"),
            "responses": {"202": _json("BatchResult", "What became of each."), "508": _LOOP},
        }
    },
}

COMPONENTS: dict[str, Any] = {
    "EventIn": {
        "type": "object",
        "required": ["type", "payload"],
        "additionalProperties": False,
        "properties": {
            "type": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
                "examples": ["order.created"],
            },
            "payload": {
                "type": "object",
                "description": "Any JSON object: 256 KiB, 32 levels, 1,000 keys an object.",
                "examples": [{"orderId": "A-17", "amount": 1250}],
            },
            "clientEventId": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 255,
                "pattern": _NO_CONTROLS,
                "description": "Your own id of this event; makes sending repeatable for 30 days.",
            },
            "timestamp": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When it happened: at most 10 minutes ahead and a year behind.",
            },
            "source": {"type": ["string", "null"], "minLength": 1, "maxLength": 200, "pattern": _NO_CONTROLS},
        },
    },
    "EventAccepted": {
        "type": "object",
        "required": ["id", "duplicate"],
        "properties": {"id": {"type": "string", "format": "uuid"}, "duplicate": {"type": "boolean"}},
    },
    "EventBatch": {
        "type": "object",
        "required": ["events"],
        "additionalProperties": False,
        "properties": {
            "events": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1000,
                "items": {"$ref": "#/components/schemas/EventIn"},
            }
        },
    },
    "BatchResult": {
        "type": "object",
        "required": ["results", "accepted", "duplicates", "rejected"],
        "properties": {
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["index", "id", "status"],
                    "properties": {
                        "index": {"type": "integer"},
                        "id": {"type": ["string", "null"], "format": "uuid"},
                        "status": {"type": "string", "enum": ["accepted", "duplicate", "rejected"]},
                        "error": {
                            "type": "object",
                            "required": ["code", "detail"],
                            "properties": {
                                "code": {"type": "string"},
                                "detail": {"type": "string"},
                                "errors": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/FieldError"},
                                },
                            },
                        },
                    },
                },
            },
            "accepted": {"type": "integer"},
            "duplicates": {"type": "integer"},
            "rejected": {"type": "integer"},
        },
    },
}
