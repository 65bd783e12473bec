"""The types of what happens, and the shape of their data: what is validated, listed and documented."""

from typing import Any, Literal, get_args
from uuid import UUID

import msgspec
from pydantic import TypeAdapter

from tocsin.kit.schema import Answer, Time, iso

EventType = Literal[
    "notification.delivered",
    "notification.failed",
    "notification.acknowledged",
    "user.registered",
    "quota.warning",
    "quota.exceeded",
    "connection.error",
    "connection.changed",
    "project.changed",
]
EVERYTHING = "*"
TEST = "webhook.test"


class _OfNotification(Answer):
    notification_id: UUID
    delivery_id: UUID | None
    channel: str | None
    user_id: UUID | None
    external_user_id: str | None
    event_id: UUID | None
    client_event_id: str | None


class NotificationDelivered(_OfNotification):
    """`sent`: the provider took it; `delivered`: its answer says it arrived; `captured`: in the sandbox."""

    status: Literal["sent", "delivered", "read", "captured"]
    delivered_at: Time


class NotificationFailed(_OfNotification):
    """Given up, not allowed to be sent, or over the quota."""

    status: Literal["failed", "suppressed", "dropped"]
    error: str | None


class NotificationAcknowledged(_OfNotification):
    """By the first person who did; `userId` is null where a backend did it for nobody in particular."""

    status: Literal["acknowledged"]
    acknowledged_at: Time
    via: str


class UserRegistered(Answer):
    """Somebody came by themselves: with the public key, with an identity token, by single sign-on."""

    user_id: UUID
    external_user_id: str | None
    email: str | None
    name: str | None
    status: str | None


class QuotaReached(Answer):
    """80 percent (`quota.warning`) or all (`quota.exceeded`) of a quota is used; once a month each."""

    quota: str
    used: int
    limit: int
    percent: int
    period: str
    resets_at: Time


class _OfConnection(Answer):
    connection_id: UUID
    provider: str | None
    channel: str | None
    owner: str | None
    name: str | None
    status: str | None
    status_reason: str | None


class ConnectionFailed(_OfConnection):
    """Its credentials stopped working; it sends nothing until they are mended."""


class ConnectionChanged(_OfConnection):
    """Somebody made, changed, tried or removed it."""

    change: str


class ProjectChanged(Answer):
    """`changed` names the fields that are not as they were."""

    change: str
    changed: list[str]


DATA: dict[EventType, type[Answer]] = {
    "notification.delivered": NotificationDelivered,
    "notification.failed": NotificationFailed,
    "notification.acknowledged": NotificationAcknowledged,
    "user.registered": UserRegistered,
    "quota.warning": QuotaReached,
    "quota.exceeded": QuotaReached,
    "connection.error": ConnectionFailed,
    "connection.changed": ConnectionChanged,
    "project.changed": ProjectChanged,
}
assert set(DATA) == set(get_args(EventType))


def body(event_type: str, project_id: UUID, happened_at: Any, data: str | bytes) -> bytes:
    """What is sent: the same bytes at every attempt."""
    return msgspec.json.encode(
        {
            "event": event_type,
            "projectId": str(project_id),
            "timestamp": iso(happened_at),
            "data": msgspec.Raw(data.encode() if isinstance(data, str) else data),
        }
    )


def components() -> dict[str, Any]:
    """The schemas of data, for the document."""
    return {_name(kind): _schema(kind) for kind in dict.fromkeys(DATA.values())}


def documented() -> dict[str, Any]:
    """The section ``webhooks`` of the document: one operation of the project's own backend for each type."""
    return {name: {"post": _operation(name, kind)} for name, kind in DATA.items()}


def _schema(kind: type[Answer]) -> dict[str, Any]:
    return TypeAdapter(kind).json_schema(mode="serialization")


def _name(kind: type[Answer]) -> str:
    return f"Webhook{kind.__name__}"


def _operation(name: str, kind: type[Answer]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["event", "projectId", "timestamp", "data"],
        "properties": {
            "event": {"const": name},
            "projectId": {"type": "string", "format": "uuid"},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"$ref": f"#/components/schemas/{_name(kind)}"},
        },
    }
    headers = [
        ("webhook-id", "The same for all attempts of one message."),
        ("webhook-timestamp", "When this attempt was signed, in Unix seconds."),
        ("webhook-signature", "`v1,` and base64 of HMAC-SHA256 over id, timestamp and body; two during a rotation."),
        ("X-Tocsin-Signature", "`sha256=` and hex of HMAC-SHA256 over the body."),
    ]
    return {
        "summary": (kind.__doc__ or "").strip(),
        "operationId": name.replace(".", "_"),
        "tags": ["webhooks"],
        "parameters": [
            {"name": header, "in": "header", "required": True, "description": words, "schema": {"type": "string"}}
            for header, words in headers
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "2XX": {"description": "Taken. Anything else is tried again, but 410, which pauses the endpoint."}
        },
        "security": [],
    }
