"""Which connection sends a delivery (C4), opened and ready; ``levels.py`` says by which order.

Chosen at send time, so that a rotation or suspension counts for what waits; the reason is kept on the delivery.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from tocsin.channels.contract import Channel, Described
from tocsin.channels.registry import kinds, providers, sender
from tocsin.connections.levels import SENDS, WORDS, Candidate, NoRoute, line_of, pick
from tocsin.connections.opened import OPENED_AT_MOST, Closed, Opened, OpenedConnections, opened
from tocsin.connections.standing import mark_error
from tocsin.kit.db import Database, Env
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.vault import Vault


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
    token: str | None = None
    """Of the address where its provider calls."""


@dataclass(frozen=True, slots=True)
class PlatformDefault:
    """A connection that the operator gave in the environment, the last resort of every project."""

    channel: Channel[Any, Any]
    settings: Described
    credentials: Described


STILL = """
SELECT EXISTS (SELECT FROM tocsin.connections
    WHERE project_id = $1 AND id = $2 AND updated_at = $3
        AND (status = 'active' OR status = 'rate_limited' AND paused_until <= now()))
"""
"""Whether a connection of a project is as it was in that version, and sends."""


class Wanted(NamedTuple):
    """What is to be sent, as far as the choice goes by it. ``device_kind`` is the kind of the address where a channel
    has several, each with providers of its own."""

    channel: str
    user_id: UUID | None
    address: str | None
    device_kind: str | None = None

    def fits(self, candidate: Candidate) -> bool:
        """Whether such a connection could send it."""
        if self.device_kind is None:
            return True
        provider = providers().get(candidate.provider)
        return provider is not None and provider.address_kind == self.device_kind


class Choice:
    """Chooses connections for one worker, which keeps those ``opened`` that it uses."""

    def __init__(
        self, db: Database, vault: Vault, defaults: dict[str, PlatformDefault], most_opened: int = OPENED_AT_MOST
    ) -> None:
        self._db = db
        self._vault = vault
        self._defaults = defaults
        self.opened = OpenedConnections(most_opened)

    async def routes(
        self, project_id: UUID, env: Env, candidates: Iterable[Candidate], wanted: Iterable[Wanted]
    ) -> dict[Wanted, Route | NoRoute]:
        """For each channel, person and address what sends; ``candidates`` come in the order of preference."""
        by_channel: defaultdict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            by_channel[candidate.channel].append(candidate)
        routes: dict[Wanted, Route | NoRoute] = {}
        for each in wanted:
            line = line_of([one for one in by_channel[each.channel] if each.fits(one)], each.user_id)
            routes[each] = await self._route(env, each, line)
        return routes

    async def _route(self, env: Env, wanted: Wanted, line: list[Candidate]) -> Route | NoRoute:
        """One that turns out to be unreadable is passed over like any that is broken."""
        default, known_only = self._defaults.get(wanted.channel), kinds()[wanted.channel].known_only
        unreadable: NoRoute | None = None
        while True:
            name = wanted.device_kind or wanted.channel
            picked = pick(name, line, wanted.address, known_only=known_only, last_resort=default is not None)
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

    async def to_destination(self, env: Env, name: str, connection: Candidate) -> Route | NoRoute:
        """The connection of a destination, and no other: elsewhere its address means nothing (C12)."""
        if connection.status not in SENDS:
            return NoRoute(f"the connection of the destination {name} is {connection.status}", waits=True)
        return await self._open(env, connection, f"{WORDS[connection.owner]} destination {name}")

    async def _open(self, env: Env, candidate: Candidate, reason: str) -> Route | NoRoute:
        try:
            channel = sender(candidate.provider)
        except KeyError:
            return NoRoute(f"the provider {candidate.provider} is not installed any more", waits=True)
        opened = self.opened.find(candidate.project_id, candidate.id, candidate.version)
        if opened is None:
            opened = await self._unsealed(*scope_of(candidate.project_id, env), candidate.id, channel)
            if opened is None:
                return NoRoute("the connection's credentials cannot be read", waits=True)
            self.opened.keep(candidate.project_id, candidate.id, opened)
        return Route(
            candidate.id,
            opened.version,
            candidate.project_id,
            channel,
            opened.settings,
            opened.credentials,
            candidate.max_concurrent,
            reason,
            opened.token,
        )

    async def still_sends(self, route: Route, env: Env) -> bool:
        """Whether nothing has been changed about the connection since it was chosen, a suspension included."""
        if route.id is None or route.connection_project is None:
            return True
        project_id, place = scope_of(route.connection_project, env)
        async with self._db.unit(project_id, place) as connection:
            return bool(await connection.fetchval(STILL, project_id, route.id, route.version))

    async def _unsealed(self, project_id: UUID, env: Env, id_: UUID, channel: Channel[Any, Any]) -> Opened | None:
        """None when it was removed meanwhile, or when its secrets cannot be read and it stops for that."""
        async with self._db.unit(project_id, env) as connection:
            try:
                return await opened(connection, self._vault, project_id, id_, channel)
            except Closed as closed:
                await mark_error(connection, project_id, id_, closed.version, str(closed))
                return None


def scope_of(connection_project: UUID, env: Env) -> tuple[UUID, Env]:
    """Where the row of a connection lies: the platform's are live, whatever they are used in."""
    return connection_project, "live" if connection_project == PLATFORM_ID else env
