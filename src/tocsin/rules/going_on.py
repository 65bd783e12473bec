"""What becomes of a notification once it is made: acknowledged or told again, gathered, or one too many (R3, R4).

A replay compares what rules say of it, and plays through what a rule would have come to, by the times at which events
were processed. What people wish and when they sleep is not asked, and a window that was open before the first event of
the answer is not known.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, chain, repeat
from typing import NamedTuple
from uuid import UUID

import msgspec

from tocsin.channels.registry import kinds
from tocsin.rules.models import Rule
from tocsin.rules.targets import Named

MOST_FOLLOWED = 500
"""Recipients of one notification, beyond whom it is not said what becomes of it."""


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """As versions of rules have it."""


class Repeat(_Part, frozen=True):
    every_seconds: int
    max_times: int


class Step(_Part, frozen=True):
    after_seconds: int
    roles: frozenset[str]
    users: frozenset[UUID] = frozenset()


class Gathering(_Part, frozen=True):
    """A digest without its words."""

    window_seconds: int
    max_items: int
    leading: bool


class Throttle(_Part, frozen=True):
    max: int
    per_seconds: int


class GoingOn(_Part, frozen=True):
    """What a rule says of it."""

    require_ack: bool = False
    repeat: Repeat | None = None
    escalation: tuple[Step, ...] | None = None
    escalation_loops: int = 1
    digest: Gathering | None = None
    throttle: Throttle | None = None

    @property
    def insistence(self) -> tuple[bool, Repeat | None, tuple[Step, ...], int]:
        """Loops of no steps are none."""
        steps = self.escalation or ()
        return self.require_ack, self.repeat, steps, self.escalation_loops if steps else 1

    def told_again(self, seconds: float) -> int:
        """How often it comes again, or goes further, while nobody acknowledges for so long."""
        if not self.require_ack:
            return 0
        repeats = min(self.repeat.max_times, int(seconds // self.repeat.every_seconds)) if self.repeat else 0
        steps = [step.after_seconds for step in self.escalation or ()] * self.escalation_loops
        return repeats + sum(due <= seconds for due in accumulate(steps))


_said = msgspec.json.Decoder(GoingOn)


def said_by_version(version: str) -> GoingOn:
    """What a kept version of a rule says, in JSON."""
    return _said.decode(version)


def said_by(rule: Rule, steps: Sequence[Named]) -> GoingOn:
    """What a rule says, saved or drafted; ``steps`` are whom its escalation tells."""
    digest = rule.digest
    return GoingOn(
        require_ack=rule.require_ack,
        repeat=Repeat(**rule.repeat) if rule.repeat else None,
        escalation=_steps(rule, steps) if rule.escalation else None,
        escalation_loops=rule.escalation_loops,
        digest=Gathering(digest["window_seconds"], digest["max_items"], digest["leading"]) if digest else None,
        throttle=Throttle(**rule.throttle) if rule.throttle else None,
    )


def _steps(rule: Rule, steps: Sequence[Named]) -> tuple[Step, ...]:
    """Whom a step meant may all have been deleted since."""
    whom = chain(steps, repeat(Named()))
    said = zip(rule.escalation or [], whom, strict=False)
    return tuple(Step(step["after_seconds"], frozenset(of.roles), frozenset(of.users)) for step, of in said)


class Course(NamedTuple):
    """How one notification went on: for how many people it was gathered into a digest, for how many it was one too
    many, and how often it was told again or further."""

    gathered: int
    throttled: int
    told_again: int


class Windows:
    """The windows of one rule, by person: of its throttle and of its digest. What is gathered is not one too many, and
    counts where it is shown live at once."""

    def __init__(self, going_on: GoingOn, channels: Sequence[str], priority: str) -> None:
        known = kinds()
        personal = [known[name] for name in channels if name in known and known[name].reaches == "person"]
        self._going_on = going_on
        self._throttle = going_on.throttle if personal and priority != "critical" else None
        self._digest = going_on.digest if any(not kind.instant for kind in personal) else None
        self._live = any(kind.instant for kind in personal)
        self._counted: dict[UUID, tuple[datetime, int]] = {}
        self._gathering: dict[UUID, datetime] = {}

    def course(self, people: Collection[UUID], at: datetime, seconds: float) -> Course | None:
        """Of a notification that tells these people then, and that nobody acknowledges for so long. None: too many."""
        if len(people) > MOST_FOLLOWED:
            return None
        gathered = throttled = 0
        for person in people:
            waits = self._is_gathered(person, at)
            too_many = (not waits or self._live) and self._is_too_many(person, at)
            gathered += waits
            throttled += too_many and not waits
        return Course(gathered, throttled, self._going_on.told_again(seconds))

    def _is_too_many(self, person: UUID, at: datetime) -> bool:
        if self._throttle is None:
            return False
        ends, times = self._counted.get(person, (at, 0))
        if ends <= at:
            ends, times = at + timedelta(seconds=self._throttle.per_seconds), 0
        self._counted[person] = ends, times + 1
        return times >= self._throttle.max

    def _is_gathered(self, person: UUID, at: datetime) -> bool:
        """What opens a window is told at once where the digest leads with it."""
        if self._digest is None:
            return False
        if self._gathering.get(person, at) > at:
            return True
        self._gathering[person] = at + timedelta(seconds=self._digest.window_seconds)
        return not self._digest.leading
