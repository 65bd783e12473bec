"""Which connection sends a delivery (C4): the person's own, else the project's, else the platform's default.

Chosen at send time, so that a rotation or suspension counts for what waits; the reason is kept on the delivery.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from pydantic import ValidationError

from tocsin.channels.contract import Channel, Described
from tocsin.channels.registry import sender
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database, Env
from tocsin.kit.vault import Vault

_OPENED_AT_MOST = 1_000

_SECRETS = "SELECT updated_at, credentials, settings FROM tocsin.connections WHERE project_id = $1 AND id = $2"


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


class Opened(NamedTuple):
    """What a connection sends with, as of its last change."""

    version: datetime
    settings: Described
    credentials: Described


class Choice:
    """Chooses connections for one worker; keeps a bounded number of them opened."""

    def __init__(self, db: Database, vault: Vault, defaults: dict[str, PlatformDefault]) -> None:
        self._db = db
        self._vault = vault
        self._defaults = defaults
        self._opened: OrderedDict[tuple[UUID, UUID], Opened] = OrderedDict()

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
            if candidate.status == "active":
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

    async def _open(self, project_id: UUID, env: Env, candidate: Candidate, reason: str) -> Route | NoRoute:
        try:
            channel = sender(candidate.provider)
        except KeyError:
            return NoRoute(f"the provider {candidate.provider} is not installed any more", waits=True)
        key = (project_id, candidate.id)
        opened = self._opened.get(key)
        if opened is None or opened.version != candidate.version:
            opened = await self._unsealed(project_id, env, candidate.id, channel)
            if opened is None:
                return NoRoute("the connection's credentials cannot be read", waits=True)
            self._opened[key] = opened
            if len(self._opened) > _OPENED_AT_MOST:
                self._opened.popitem(last=False)
        self._opened.move_to_end(key)
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
            row = await connection.fetchrow(_SECRETS, project_id, id_)
            if row is None:
                return None
            try:
                plain = "{}"
                if row["credentials"] is not None:
                    plain = await self._vault.open(
                        connection, project_id, "connections", id_, "credentials", row["credentials"]
                    )
                return Opened(
                    row["updated_at"],
                    channel.settings.model_validate(msgspec.json.decode(row["settings"])),
                    channel.credentials.model_validate(msgspec.json.decode(plain)),
                )
            except (Unreadable, ValidationError):
                await mark_error(connection, project_id, id_, row["updated_at"], "credentials_unreadable")
                return None


async def mark_error(
    connection: asyncpg.Connection, project_id: UUID, connection_id: UUID, version: datetime | None, reason: str
) -> None:
    """Stop using a connection whose credentials do not work, until its owner mends it.

    One that was changed since ``version`` stays as it is: what failed were its credentials of before.
    """
    await connection.execute(
        "UPDATE tocsin.connections SET status = 'error', status_reason = $4, health_status = 'failing',"
        " last_health_check = now(), updated_at = now()"
        " WHERE project_id = $1 AND id = $2 AND status = 'active' AND updated_at = $3"
        " RETURNING tocsin.tell_webhooks(project_id, tocsin.current_env(), 'connection.error', json_build_object("
        "'connectionId', id, 'provider', provider, 'channel', channel, 'owner', owner, 'name', name,"
        " 'status', status, 'statusReason', status_reason))",
        project_id,
        connection_id,
        version,
        reason[:500],
    )
