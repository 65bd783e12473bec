"""Reading what was claimed: everything one send needs, for a batch of one project in a few queries."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tocsin.channels.contract import Action, Message, Recipient, SourceEvent
from tocsin.channels.registry import kinds
from tocsin.connections.choose import Choice, NoRoute, Route

_DELIVERIES = """
SELECT d.id, d.notification_id, d.user_id, d.channel, d.attempts, d.rank, d.created_at AS queued_at,
    n.title, n.message, n.action, n.sound, n.priority, n.require_ack, n.created_at, n.event_id, n.event_type,
    n.client_event_id, u.external_user_id, u.name, u.email, u.locale, u.status AS user_status,
    (SELECT p.name FROM tocsin.projects p WHERE p.id = $1) AS project_name
FROM tocsin.deliveries d
LEFT JOIN tocsin.notifications n ON n.project_id = d.project_id AND n.id = d.notification_id
LEFT JOIN tocsin.users u ON u.project_id = d.project_id AND u.id = d.user_id
WHERE d.project_id = $1 AND d.id = ANY($2) AND d.lease_token = $3
ORDER BY d.rank, d.id
"""
# OFFSET 0 has each person looked up by key; joined, a project of many is read again for each of them.
_RECIPIENTS = """
SELECT r.notification_id, u.id, u.external_user_id, u.name, u.email, u.locale
FROM tocsin.notification_recipients r
CROSS JOIN LATERAL (
    SELECT * FROM tocsin.users u WHERE u.project_id = r.project_id AND u.id = r.user_id OFFSET 0
) u
WHERE r.project_id = $1 AND r.notification_id = ANY($2) ORDER BY r.notification_id, u.id
"""
_ADDRESSES = """
SELECT user_id, channel, value, opted_out_at FROM tocsin.addresses
WHERE project_id = $1 AND user_id = ANY($2) AND channel = ANY($3) ORDER BY opted_out_at IS NULL, id
"""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One claimed delivery, ready for its attempt, or with the reason why it cannot be tried."""

    id: UUID
    queued_at: datetime
    attempt: int
    rank: int
    message: Message | None
    address: str | None
    route: Route | NoRoute
    refusal: str | None = None


async def load(
    connection: asyncpg.Connection, choice: Choice, project_id: UUID, env: str, ids: Sequence[UUID], token: UUID
) -> list[Outgoing]:
    """The deliveries whose lease is still ours."""
    rows = await connection.fetch(_DELIVERIES, project_id, ids, token)
    routes = await choice.routes(connection, project_id, [(row["channel"], row["user_id"]) for row in rows])
    addresses = await _addresses(connection, project_id, rows)
    named = await _recipients(connection, project_id, rows)
    return [_outgoing(project_id, env, row, routes, addresses, named) for row in rows]


async def _addresses(
    connection: asyncpg.Connection, project_id: UUID, rows: Sequence[asyncpg.Record]
) -> dict[tuple[UUID, str], str]:
    users = sorted({row["user_id"] for row in rows if row["user_id"]})
    wanted = sorted({kinds()[row["channel"]].address_kind or "" for row in rows} - {""})
    found: dict[tuple[UUID, str], str] = {}
    if users and wanted:
        found = {(row["user_id"], "email"): row["email"] for row in rows if row["email"]}
        for row in await connection.fetch(_ADDRESSES, project_id, users, wanted):
            key = (row["user_id"], row["channel"])
            if row["opted_out_at"] is None:
                found[key] = row["value"]
            elif found.get(key) == row["value"]:
                del found[key]  # an opt-out from the address of the profile counts as well
    return found


async def _recipients(
    connection: asyncpg.Connection, project_id: UUID, rows: Sequence[asyncpg.Record]
) -> dict[UUID, tuple[Recipient, ...]]:
    """Everybody concerned, for what goes to the project rather than to one of them."""
    wanted = sorted({row["notification_id"] for row in rows if row["user_id"] is None and row["notification_id"]})
    if not wanted:
        return {}
    found: defaultdict[UUID, list[Recipient]] = defaultdict(list)
    for row in await connection.fetch(_RECIPIENTS, project_id, wanted):
        found[row["notification_id"]].append(_recipient(row["id"], row))
    return {id_: tuple(people) for id_, people in found.items()}


def _recipient(user_id: UUID, row: Any) -> Recipient:
    return Recipient(
        user_id=user_id,
        external_user_id=row["external_user_id"],
        name=row["name"],
        email=row["email"],
        locale=row["locale"],
    )


def _outgoing(
    project_id: UUID,
    env: Any,
    row: asyncpg.Record,
    routes: dict[tuple[str, UUID | None], Route | NoRoute],
    addresses: dict[tuple[UUID, str], str],
    named: dict[UUID, tuple[Recipient, ...]],
) -> Outgoing:
    kind = kinds()[row["channel"]]
    route = routes[row["channel"], row["user_id"]]
    address = addresses.get((row["user_id"], kind.address_kind)) if kind.address_kind else None
    refusal = _refusal(row, kind.reaches, kind.address_kind, address)
    action = msgspec.json.decode(row["action"]) if row["action"] else None
    message = Message(
        delivery_id=row["id"],
        notification_id=row["notification_id"],
        project_id=project_id,
        project_name=row["project_name"],
        env=env,
        title=row["title"] or "",
        message=row["message"] or "",
        priority=row["priority"] or "normal",
        created_at=row["created_at"] or row["queued_at"],
        sound=row["sound"],
        action=Action(url=action["url"], label=action.get("label")) if action else None,
        require_ack=bool(row["require_ack"]),
        event=SourceEvent(id=row["event_id"], type=row["event_type"], client_event_id=row["client_event_id"])
        if row["event_id"]
        else None,
        recipient=_recipient(row["user_id"], row) if row["user_id"] else None,
        recipients=named.get(row["notification_id"], ()),
        attempt=row["attempts"] + 1,
    )
    return Outgoing(row["id"], row["queued_at"], row["attempts"] + 1, row["rank"], message, address, route, refusal)


def _refusal(row: asyncpg.Record, reaches: str, address_kind: str | None, address: str | None) -> str | None:
    """Why this must not be sent at all, or None."""
    if row["title"] is None:
        return "its notification does not exist any more"
    if reaches == "project":
        return None
    if row["user_id"] is None or row["user_status"] is None:
        return "the person does not exist any more"
    if row["user_status"] != "active":
        return f"the person is {row['user_status']}"
    if address_kind is not None and address is None:
        return f"the person has no address for {address_kind}"
    return None
