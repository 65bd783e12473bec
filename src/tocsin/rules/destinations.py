"""Which places the names in a rule mean: a person's own of that name, else the project's, never the platform's (C12).

A name may stand for one place on each channel. One that is switched off still is what the name means: it gets nothing,
and no other place gets it instead.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from tocsin.kit.db import Env

MOST = 1_000
"""Places that one notification is sent to."""

_NAMED = "SELECT name, id, user_id, channel, address, enabled FROM tocsin.named_destinations($1, $2, $3, $4)"


class Destination(NamedTuple):
    """A place as a rule may mean it; ``user_id`` is the person whose it is, None where it is the project's."""

    name: str
    id: UUID
    user_id: UUID | None
    channel: str
    address: str
    enabled: bool


class Meant(NamedTuple):
    """The places that are sent to, and what has to be told about the others."""

    places: list[Destination]
    remarks: list[str]


class Destinations:
    """What the names in the rules of a batch may mean."""

    def __init__(self, found: Iterable[Destination]) -> None:
        self._shared: defaultdict[str, dict[str, Destination]] = defaultdict(dict)
        self._own: defaultdict[str, defaultdict[UUID, dict[str, Destination]]] = defaultdict(lambda: defaultdict(dict))
        for each in found:
            places = self._shared[each.name] if each.user_id is None else self._own[each.name][each.user_id]
            places.setdefault(each.channel, each)

    def meant(self, names: Sequence[str], people: Mapping[UUID, Any]) -> Meant:
        """Each place once, however many people share it; those of nobody in particular where there are no people."""
        places: dict[UUID, Destination] = {}
        remarks = []
        for name in names:
            found = {place.id: place for place in self._nearest(name, people)}
            places |= {id_: place for id_, place in found.items() if place.enabled}
            if not found:
                remarks.append(f"nobody has a destination {name}")
            elif off := sum(not place.enabled for place in found.values()):
                remarks.append(f"the destination {name} is switched off" + (f" at {off}" if off < len(found) else ""))
        if len(places) > MOST:
            remarks.append(f"of {len(places):,} destinations only {MOST:,} are sent to")
        return Meant(list(places.values())[:MOST], remarks)

    def _nearest(self, name: str, people: Mapping[UUID, Any]) -> Iterable[Destination]:
        """Goes through those who have their own, since a role may have ten thousand members."""
        own = [places for person, places in self._own[name].items() if person in people]
        nearest = [place for places in own for place in places.values()]
        return nearest if people and len(own) == len(people) else [*nearest, *self._shared[name].values()]


async def destinations_for(
    connection: asyncpg.Connection | asyncpg.Pool,
    project_id: UUID,
    env: Env,
    names: Collection[str],
    people: Collection[UUID],
) -> Destinations:
    """Read what these names mean for these people, in one query at most."""
    if not names:
        return Destinations(())
    rows = await connection.fetch(_NAMED, project_id, env, sorted(names), list(people))
    return Destinations(Destination(*row) for row in rows)
