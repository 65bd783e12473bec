"""Which connection sends a delivery (C4): the person's own, else the project's, else the platform's default.

Chosen at send time, so that a rotation or suspension counts for what waits; the reason is kept on the delivery.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from pydantic import ValidationError

from tocsin.channels.contract import Channel, Described
from tocsin.channels.registry import sender
from tocsin.kit.crypto import Unreadable
from tocsin.kit.vault import Vault

_OPENED_AT_MOST = 100

_CANDIDATES = """
SELECT id, provider, channel, owner, user_id, credentials, settings, status, max_concurrent, updated_at, is_default
FROM tocsin.connections WHERE project_id = $1 AND channel = ANY($2)
ORDER BY env DESC, is_default DESC, created_at
"""


@dataclass(frozen=True, slots=True)
class Route:
    """A connection that is ready to send, and why it was chosen. ``id`` is None for the environment's default.

    ``version`` says how recent it is: it changes with the connection.
    """

    id: UUID | None
    version: datetime | None
    connection_project: UUID | None
    channel: Channel[Any, Any]
    settings: Described
    credentials: Described
    max_concurrent: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Nothing can send this: ``waits`` where a connection exists that somebody may mend."""

    reason: str
    waits: bool


@dataclass(frozen=True, slots=True)
class PlatformDefault:
    """A connection that the operator gave in the environment, the last resort of every project."""

    channel: Channel[Any, Any]
    settings: Described
    credentials: Described


class Choice:
    """Chooses connections for one worker; keeps a bounded number of them opened."""

    def __init__(self, vault: Vault, defaults: dict[str, PlatformDefault]) -> None:
        self._vault = vault
        self._defaults = defaults
        self._opened: OrderedDict[tuple[UUID, UUID, datetime], tuple[Described, Described]] = OrderedDict()

    async def routes(
        self, connection: asyncpg.Connection, project_id: UUID, wanted: Iterable[tuple[str, UUID | None]]
    ) -> dict[tuple[str, UUID | None], Route | NoRoute]:
        """For each channel and person the connection that sends; one query for all of them."""
        pairs = set(wanted)
        rows = await connection.fetch(_CANDIDATES, project_id, sorted({channel for channel, _ in pairs}))
        by_channel: defaultdict[str, list[asyncpg.Record]] = defaultdict(list)
        for row in rows:
            by_channel[row["channel"]].append(row)
        return {
            pair: await self._route(connection, project_id, by_channel[pair[0]], *pair)
            for pair in sorted(pairs, key=str)
        }

    async def _route(
        self,
        connection: asyncpg.Connection,
        project_id: UUID,
        rows: list[asyncpg.Record],
        channel: str,
        user_id: UUID | None,
    ) -> Route | NoRoute:
        own = [row for row in rows if row["owner"] == "user" and row["user_id"] == user_id]
        shared = [row for row in rows if row["owner"] == "project"]
        candidates = [(row, "the person's own") for row in own] + [(row, "the project's") for row in shared]
        for row, reason in candidates:
            if row["status"] == "active":
                return await self._open(connection, project_id, row, reason)
        default = self._defaults.get(channel)
        if default is not None:
            return Route(
                None, None, None, default.channel, default.settings, default.credentials, None, "the platform's default"
            )
        if candidates:
            states = ", ".join(sorted({row["status"] for row, _ in candidates}))
            return NoRoute(f"no active connection for {channel}: {states}", waits=True)
        return NoRoute(f"no connection for {channel}", waits=False)

    async def _open(
        self, connection: asyncpg.Connection, project_id: UUID, row: asyncpg.Record, reason: str
    ) -> Route | NoRoute:
        try:
            channel = sender(row["provider"])
        except KeyError:
            return NoRoute(f"the provider {row['provider']} is not installed any more", waits=True)
        key = (project_id, row["id"], row["updated_at"])
        opened = self._opened.get(key)
        if opened is None:
            try:
                opened = await self._unsealed(connection, project_id, row, channel)
            except (Unreadable, ValidationError):
                await mark_error(connection, project_id, row["id"], row["updated_at"], "credentials_unreadable")
                return NoRoute("the connection's credentials cannot be read", waits=True)
            self._opened[key] = opened
            if len(self._opened) > _OPENED_AT_MOST:
                self._opened.popitem(last=False)
        else:
            self._opened.move_to_end(key)
        return Route(
            row["id"], row["updated_at"], project_id, channel, opened[0], opened[1], row["max_concurrent"], reason
        )

    async def _unsealed(
        self, connection: asyncpg.Connection, project_id: UUID, row: asyncpg.Record, channel: Channel[Any, Any]
    ) -> tuple[Described, Described]:
        plain = "{}"
        if row["credentials"] is not None:
            plain = await self._vault.open(
                connection, project_id, "connections", row["id"], "credentials", row["credentials"]
            )
        return (
            channel.settings.model_validate(msgspec.json.decode(row["settings"])),
            channel.credentials.model_validate(msgspec.json.decode(plain)),
        )


async def mark_error(
    connection: asyncpg.Connection, project_id: UUID, connection_id: UUID, version: datetime | None, reason: str
) -> None:
    """Stop using a connection whose credentials do not work, until its owner mends it.

    One that was changed since ``version`` stays as it is: what failed were its credentials of before.
    """
    await connection.execute(
        "UPDATE tocsin.connections SET status = 'error', status_reason = $4, health_status = 'failing',"
        " last_health_check = now(), updated_at = now()"
        " WHERE project_id = $1 AND id = $2 AND status = 'active' AND updated_at = $3",
        project_id,
        connection_id,
        version,
        reason[:500],
    )
