"""The OpenAPI part of Pusher's HTTP API, whose routes are written by hand."""

from typing import Any

from tocsin.kit.pusher_signature import SIGNATURE, VERSION
from tocsin.realtime.publishing import MAX_DATA_BYTES, MOST_CHANNELS, MOST_EVENTS
from tocsin.realtime.signed import OUT_OF_STEP_SECONDS

_REFUSALS = {
    "400": "What is wrong with the request.",
    "401": "The key, the app, the time or the signature is not right.",
    "403": "The project is suspended, the address is not allowed, or only Tocsin says this.",
    "413": f"The data of an event is larger than {MAX_DATA_BYTES} bytes.",
    "429": "A limit of the key or of the plan is reached.",
    "503": "Try again after `Retry-After` seconds.",
}


def _parameter(place: str, name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path" or name in (SIGNATURE, "auth_key", "auth_timestamp", "auth_version"),
        "description": description,
        "schema": {"type": "string", **schema},
    }


_SIGNED = [
    _parameter("path", "app_id", "Of the project's realtime app.", pattern="^[0-9]+$"),
    _parameter("query", "auth_key", "Any public key of the app's environment that is in use."),
    _parameter("query", "auth_timestamp", f"Seconds since 1970, within {OUT_OF_STEP_SECONDS} of now."),
    _parameter("query", "auth_version", "The version of the signature.", enum=[VERSION]),
    _parameter("query", "body_md5", "MD5 of the body in hex, where there is one."),
    _parameter("query", SIGNATURE, "HMAC-SHA256 in hex by the app's secret over method, path and sorted query."),
]
_INFO = _parameter("query", "info", "`user_count` and `subscription_count`, with a comma between.")
_PREFIX = _parameter("query", "filter_by_prefix", "What the names of the channels begin with.")
_CHANNEL = _parameter("path", "channel", "The name of a channel.")


def _operation(name: str, summary: str, answer: str, *more: dict[str, Any], body: str | None = None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": ["pusher"],
        "summary": summary,
        "operationId": name,
        "security": [],
        "parameters": [*_SIGNED, *more],
        "responses": {
            "200": {"description": answer, "content": {"application/json": {"schema": {"type": "object"}}}},
            **{status: _text(words) for status, words in _REFUSALS.items()},
        },
    }
    if body is not None:
        schema = {"$ref": f"#/components/schemas/{body}"}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


PATHS: dict[str, Any] = {
    "/apps/{app_id}/events": {
        "post": _operation(
            "publish_event", "Publish an event", "`{}`; with `info`, the channels.", body="PublishedEvent"
        )
    },
    "/apps/{app_id}/batch_events": {
        "post": _operation(
            "publish_events",
            f"Publish up to {MOST_EVENTS} events",
            "`{}`; with any `info`, a `batch` in the same order.",
            body="PublishedBatch",
        )
    },
    "/apps/{app_id}/channels": {
        "get": _operation("list_channels", "The occupied channels", '`{"channels": {name: {}}}`', _PREFIX, _INFO)
    },
    "/apps/{app_id}/channels/{channel}": {
        "get": _operation("read_channel", "One channel", '`{"occupied": true}`', _CHANNEL, _INFO)
    },
    "/apps/{app_id}/channels/{channel}/users": {
        "get": _operation("list_channel_users", "Who is on a presence channel", '`{"users": [{"id": "7"}]}`', _CHANNEL)
    },
    "/apps/{app_id}/users/{user_id}/terminate_connections": {
        "post": _operation(
            "end_user_sockets",
            "End a signed-in user's sockets",
            "`{}`",
            _parameter("path", "user_id", "The id the user signed in with."),
        )
    },
}

_EVENT: dict[str, Any] = {
    "name": {"type": "string", "minLength": 1, "maxLength": 200},
    "data": {"type": "string", "description": f"{MAX_DATA_BYTES} bytes at most; arrives as it is."},
    "channel": {"type": "string"},
    "socket_id": {"type": "string", "description": "A socket that is left out."},
    "info": {"type": "string", "description": "Attributes of the channels to answer with."},
}

COMPONENTS: dict[str, Any] = {
    "PublishedEvent": {
        "type": "object",
        "required": ["name", "data"],
        "properties": {
            **_EVENT,
            "channels": {"type": "array", "minItems": 1, "maxItems": MOST_CHANNELS, "items": {"type": "string"}},
        },
    },
    "PublishedBatch": {
        "type": "object",
        "required": ["batch"],
        "properties": {
            "batch": {
                "type": "array",
                "maxItems": MOST_EVENTS,
                "items": {"type": "object", "required": ["name", "data", "channel"], "properties": _EVENT},
            }
        },
    },
}
