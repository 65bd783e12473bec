"""Which connection sends a delivery (C4): the person's own, else the project's, else the platform's default.

Chosen at send time, so that a rotation or suspension counts for what waits; the reason is kept on the delivery.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tocsin.channels.contract import Channel, Described
from tocsin.channels.registry import sender
from tocsin.connections.opened import Closed, Opened, OpenedConnections, opened
from tocsin.kit.db import Database, Env
from tocsin.kit.vault import Vault

SENDS = ("active", "rate_limited")
"""Statuses of a connection that is chosen; one whose provider asked for a pause sends after it, and nobody instead."""

_STILL = """
SELECT EXISTS (SELECT FROM tocsin.connections c WHERE c.project_id = $1 AND c.id = $2 AND c.updated_at = $3
    AND (c.status = 'active' OR c.status = 'rate_limited' AND c.paused_until <= now()))
"""


class Candidate(msgspec.Struct):
    """A connection that might send, as ``connection_candidates`` reads it. ``version`` is when it last changed."""

    id: UUID
    provider: str
    channel: str
    owner: str
    user_id: UUID | None
    status: str
    max_concurrent: int | None
    version: datetime


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
    """Chooses connections for one worker, which keeps those ``opened`` that it uses."""

    def __init__(self, db: Database, vault: Vault, defaults: dict[str, PlatformDefault]) -> None:
        self._db = db
        self._vault = vault
        self._defaults = defaults
        self.opened = OpenedConnections()

    async def routes(
        self,
        project_id: UUID,
        env: Env,
        candidates: Iterable[Candidate],
        wanted: Iterable[tuple[str, UUID | None]],
    ) -> dict[tuple[str, UUID | None], Route | NoRoute]:
        """For each channel and person the connection that sends; ``candidates`` come in the order of preference."""
        by_channel: defaultdict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            by_channel[candidate.channel].append(candidate)
        return {
            (channel, user_id): await self._route(project_id, env, by_channel[channel], channel, user_id)
            for channel, user_id in wanted
        }

    async def _route(
        self, project_id: UUID, env: Env, connections: list[Candidate], channel: str, user_id: UUID | None
    ) -> Route | NoRoute:
        own = [each for each in connections if each.owner == "user" and each.user_id == user_id]
        shared = [each for each in connections if each.owner == "project"]
        candidates = [(each, "the person's own") for each in own] + [(each, "the project's") for each in shared]
        for candidate, reason in candidates:
            if candidate.status in SENDS:
                return await self._open(project_id, env, candidate, reason)
        default = self._defaults.get(channel)
        if default is not None:
            return Route(
                None, None, None, default.channel, default.settings, default.credentials, None, "the platform's default"
            )
        if candidates:
            states = ", ".join(sorted({candidate.status for candidate, _ in candidates}))
            return NoRoute(f"no active connection for {channel}: {states}", waits=True)
        return NoRoute(f"no connection for {channel}", waits=False)

    async def to_destination(
        self, project_id: UUID, env: Env, name: str, connection: Candidate, *, enabled: bool
    ) -> Route | NoRoute:
        """The connection of a destination, and no other: elsewhere its address means nothing (C12)."""
        if not enabled:
            return NoRoute(f"the destination {name} is switched off", waits=False)
        if connection.status not in SENDS:
            return NoRoute(f"the connection of the destination {name} is {connection.status}", waits=True)
        whose = "the person's own" if connection.owner == "user" else "the project's"
        return await self._open(project_id, env, connection, f"{whose} destination {name}")

    async def still_sends(self, project_id: UUID, env: Env, route: Route) -> bool:
        """Whether a connection that was chosen some time ago is as it was then."""
        if route.id is None or route.connection_project is None:
            return True
        async with self._db.unit(project_id, env, durable=False) as connection:
            return bool(await connection.fetchval(_STILL, route.connection_project, route.id, route.version))

    async def _open(self, project_id: UUID, env: Env, candidate: Candidate, reason: str) -> Route | NoRoute:
        try:
            channel = sender(candidate.provider)
        except KeyError:
            return NoRoute(f"the provider {candidate.provider} is not installed any more", waits=True)
        opened = self.opened.find(project_id, candidate.id, candidate.version)
        if opened is None:
            opened = await self._unsealed(project_id, env, candidate.id, channel)
            if opened is None:
                return NoRoute("the connection's credentials cannot be read", waits=True)
            self.opened.keep(project_id, candidate.id, opened)
        return Route(
            candidate.id,
            opened.version,
            project_id,
            channel,
            opened.settings,
            opened.credentials,
            candidate.max_concurrent,
            reason,
        )

    async def _unsealed(self, project_id: UUID, env: Env, id_: UUID, channel: Channel[Any, Any]) -> Opened | None:
        """None when it was removed meanwhile, or when its secrets cannot be read and it stops for that."""
        async with self._db.unit(project_id, env) as connection:
            try:
                return await opened(connection, self._vault, project_id, id_, channel)
            except Closed as closed:
                await mark_error(connection, project_id, id_, closed.version, str(closed))
                return None


async def mark_error(
    connection: asyncpg.Connection, project_id: UUID, connection_id: UUID, version: datetime | None, reason: str
) -> None:
    """Stop using a connection whose credentials do not work, until its owner mends it.

    One that was changed since ``version`` stays as it is: what failed were its credentials of before.
    """
    await connection.execute(
        "UPDATE tocsin.connections SET status = 'error', status_reason = $4, health_status = 'failing',"
        " last_health_check = now(), next_check_at = now(), updated_at = now()"
        " WHERE project_id = $1 AND id = $2 AND status IN ('active', 'rate_limited') AND updated_at = $3",
        project_id,
        connection_id,
        version,
        reason[:500],
    )
