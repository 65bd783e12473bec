"""What happens in a project, told to the webhook endpoints that listen (H1).

A message is written in the transaction of the thing itself, by ``tocsin.tell_webhooks``, for each endpoint that
listens; where none does, that finds nothing to write. What became of deliveries is told by the functions that record
them, an acknowledgement by the statement that writes it; a change that is audited is told with its entry.
"""

from typing import Any
from uuid import UUID

import asyncpg

from tocsin.kit.db import as_json

Told = tuple[str, dict[str, Any]]
"""The type of what happened, and its data."""

_TELL = "SELECT tocsin.tell_webhooks($1, $2, $3, $4)"


async def tell(
    connection: asyncpg.Connection, project_id: UUID, env: str, event_type: str, data: dict[str, Any]
) -> None:
    """Tell of something in the caller's transaction."""
    await connection.execute(_TELL, project_id, env, event_type, as_json(data))


def told_of(
    project_id: UUID,
    actor_id: str | None,
    action: str,
    resource_type: str,
    resource_id: UUID | str | None,
    metadata: dict[str, Any],
) -> Told | None:
    """What endpoints hear of an audited change, or None: people who come by themselves, connections, the project."""
    before, after = metadata.get("before") or {}, metadata.get("after") or {}
    by_themselves = action == "user.created" and actor_id == str(resource_id)
    if action == "user.registered" or by_themselves:
        return "user.registered", {"userId": str(resource_id), **_picked(after, _PERSON)}
    if resource_type == "connection":
        change = action.rpartition(".")[2]
        return "connection.changed", {
            "connectionId": str(resource_id),
            "change": change,
            **_picked(after or before, _CONNECTION),
        }
    if resource_type == "project" and str(resource_id) == str(project_id):
        return "project.changed", {"change": action, "changed": _changed(before, after)}
    return None


_PERSON = ("externalUserId", "email", "name", "status")
_CONNECTION = ("provider", "channel", "owner", "name", "status", "statusReason")


def _picked(shown: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: shown.get(name) for name in names}


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The fields that are not as they were; what they say stays with whoever may read it."""
    names = {*before, *after} - {"updatedAt"}
    return sorted(name for name in names if before.get(name) != after.get(name))
