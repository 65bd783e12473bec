"""Which connection sends a delivery (C4), opened and ready; ``levels.py`` says by which order.

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
from msgspec.structs import replace
from pydantic import ValidationError

from tocsin.channels.contract import Channel, Described
from tocsin.channels.registry import kinds, sender
from tocsin.connections.levels import Candidate, NoRoute, line_of, pick
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database, Env
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.vault import Vault

_OPENED_AT_MOST = 1_000

_SECRETS = "SELECT updated_at, credentials, settings FROM tocsin.connections WHERE project_id = $1 AND id = $2"


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
class PlatformDefault:
    """A connection that the operator gave in the environment, the last resort of every project."""

    channel: Channel[Any, Any]
    settings: Described
    credentials: Described


_STILL = """
SELECT EXISTS (SELECT FROM tocsin.connections
    WHERE project_id = $1 AND id = $2 AND updated_at = $3 AND status IN ('active', 'rate_limited'))
"""


class Wanted(NamedTuple):
    """What is to be sent, as far as the choice goes by it."""

    channel: str
    user_id: UUID | None
    address: str | None


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
        self, project_id: UUID, env: Env, candidates: Iterable[Candidate], wanted: Iterable[Wanted]
    ) -> dict[Wanted, Route | NoRoute]:
        """For each channel, person and address what sends; ``candidates`` come in the order of preference."""
        by_channel: defaultdict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            by_channel[candidate.channel].append(candidate)
        routes: dict[Wanted, Route | NoRoute] = {}
        for each in wanted:
            line = line_of(by_channel[each.channel], each.user_id)
            routes[each] = await self._route(env, each, line)
        return routes

    async def _route(self, env: Env, wanted: Wanted, line: list[Candidate]) -> Route | NoRoute:
        """One that turns out to be unreadable is passed over like any that is broken."""
        default, known_only = self._defaults.get(wanted.channel), kinds()[wanted.channel].known_only
        unreadable: NoRoute | None = None
        while True:
            picked = pick(wanted.channel, line, wanted.address, known_only=known_only, last_resort=default is not None)
            if isinstance(picked, NoRoute):
                return picked if picked.refused else unreadable or picked
            if picked.candidate is None:
                assert default is not None
                return Route(
                    None, None, None, default.channel, default.settings, default.credentials, None, picked.reason
                )
            opened = await self._open(env, picked.candidate, picked.reason)
            if isinstance(opened, Route):
                return opened
            unreadable = unreadable or opened
            line = [replace(each, status="error") if each is picked.candidate else each for each in line]

    async def _open(self, env: Env, candidate: Candidate, reason: str) -> Route | NoRoute:
        try:
            channel = sender(candidate.provider)
        except KeyError:
            return NoRoute(f"the provider {candidate.provider} is not installed any more", waits=True)
        key = (candidate.project_id, candidate.id)
        opened = self._opened.get(key)
        if opened is None or opened.version != candidate.version:
            opened = await self._unsealed(*scope_of(candidate.project_id, env), candidate.id, channel)
            if opened is None:
                return NoRoute("the connection's credentials cannot be read", waits=True)
            self._opened[key] = opened
            if len(self._opened) > _OPENED_AT_MOST:
                self._opened.popitem(last=False)
        self._opened.move_to_end(key)
        return Route(
            candidate.id,
            opened.version,
            candidate.project_id,
            channel,
            opened.settings,
            opened.credentials,
            candidate.max_concurrent,
            reason,
        )

    async def still_sends(self, route: Route, env: Env) -> bool:
        """Whether nothing has been changed about the connection since it was chosen, a suspension included."""
        if route.id is None or route.connection_project is None:
            return True
        project_id, place = scope_of(route.connection_project, env)
        async with self._db.unit(project_id, place) as connection:
            return bool(await connection.fetchval(_STILL, project_id, route.id, route.version))

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


def scope_of(connection_project: UUID, env: Env) -> tuple[UUID, Env]:
    """Where the row of a connection lies: the platform's are live, whatever they are used in."""
    return connection_project, "live" if connection_project == PLATFORM_ID else env


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
