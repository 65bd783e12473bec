"""Who sends, of the connections that could (C4): the person's own, else the project's, else the platform's default.

A nearer connection that is broken, suspended or not known to reach the address is passed over, for the next one that
may stand in (``use_as_fallback``) and reaches it. One that was never verified counts as not there yet, and where the
provider asked for a pause nobody sends instead. A person who blocked or left any connection in the line is reached by
none behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from tocsin.connections.reachability import State

Owner = Literal["user", "project", "platform"]

SENDS = ("active", "rate_limited")
"""Of these statuses one is chosen; what is to be sent over one that was asked to pause waits for it."""

WORDS: dict[Owner, str] = {
    "user": "the person's own",
    "project": "the project's",
    "platform": "the platform's default",
}


class Candidate(msgspec.Struct, frozen=True):
    """A connection that might send, as ``connection_candidates`` reads it. ``version`` is when it last changed.

    ``alone``: its person wants no other level to send to them. ``reach`` is what is known of addresses. A status of
    ``declined`` stands for all that the platform lends: the project does not want it.
    """

    project_id: UUID
    id: UUID
    provider: str
    channel: str
    owner: Owner
    user_id: UUID | None
    status: Literal["pending", "active", "suspended", "rate_limited", "error", "declined"]
    use_as_fallback: bool
    max_concurrent: int | None
    version: datetime
    alone: bool = False
    reach: dict[str, State] = {}


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Nothing can send this. ``waits`` where a connection exists that somebody may mend; ``refused`` where the person
    does not want it, or is not known to be reached."""

    reason: str
    waits: bool
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Picked:
    """The connection that sends, and why; None is the default that the operator gave in the environment."""

    candidate: Candidate | None
    reason: str


def line_of(candidates: Sequence[Candidate], user_id: UUID | None) -> list[Candidate]:
    """Those of one channel that may send to a person, the nearest first; given in the order of preference."""
    own = [each for each in candidates if each.owner == "user" and each.user_id == user_id]
    if any(each.alone for each in own):
        return own
    project = [each for each in candidates if each.owner == "project"]
    return own + project + [each for each in candidates if each.owner == "platform"]


def pick(
    channel: str, line: Sequence[Candidate], address: str | None, *, known_only: bool, last_resort: bool
) -> Picked | NoRoute:
    """The first in the line that can and may send; ``last_resort``: the environment has a default for this channel."""
    passed: list[str] = []
    waiting: list[str] = []
    for each in line:
        state = each.reach.get(address) if address is not None else None
        if state in ("blocked", "opted_out"):
            return NoRoute(f"the person {_REFUSED[state]} {WORDS[each.owner]}", waits=False, refused=True)
        if each.status == "declined":
            last_resort = False
        elif passed and not each.use_as_fallback:
            continue
        elif known_only and state != "reachable":
            if each.status != "pending":
                passed.append(f"{WORDS[each.owner]} is not known to reach this address")
        elif each.status in SENDS:
            return Picked(each, "; ".join([WORDS[each.owner], *passed]))
        else:
            waiting.append(each.status)
            if each.status != "pending":
                passed.append(f"{WORDS[each.owner]} is {_IS[each.status]}")
    if last_resort and not known_only and not any(each.alone for each in line):
        return Picked(None, "; ".join([WORDS["platform"], *passed]))
    if waiting:
        return NoRoute(f"no active connection for {channel}: {', '.join(sorted(set(waiting)))}", waits=True)
    if passed:
        return NoRoute(f"no connection for {channel} is known to reach this address", waits=False, refused=True)
    return NoRoute(f"no connection for {channel}", waits=False)


_REFUSED = {"blocked": "blocked", "opted_out": "opted out of"}
_IS = {"suspended": "suspended", "error": "in error"}
