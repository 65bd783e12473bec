"""What a project has declared of the events it sends, as the door asks it: are they refused, and were they seen."""

from collections.abc import Callable, Iterable
from uuid import UUID

from tocsin.auth.principal import Principal
from tocsin.event_types.door import Refusing
from tocsin.event_types.seen import SeenTypes
from tocsin.events.shape import Event
from tocsin.kit.db import Database
from tocsin.kit.errors import FieldError, Invalid, Problem


class Declared:
    """The event types of every project, of one process."""

    def __init__(self, db: Database, trusted: Callable[[], bool]) -> None:
        self._refusing = Refusing(db, trusted)
        self._seen = SeenTypes(db)

    async def check(self, caller: Principal, event: Event) -> None:
        """Raises Invalid with the places where an event does not fit a type that refuses it."""
        if self._refusing.none(caller.project_id, caller.env):
            return
        (faults,) = await self._refusing.faults(caller.project_id, caller.env, [(event.type, event.payload)])
        if faults:
            raise _refused(faults)

    async def judged(self, caller: Principal, items: list[Event | Problem]) -> list[Event | Problem]:
        """The same items, with a Problem in the place of each event that is refused."""
        if self._refusing.none(caller.project_id, caller.env):
            return items
        events = [(item.type, item.payload) for item in items if isinstance(item, Event)]
        found = iter(await self._refusing.faults(caller.project_id, caller.env, events))
        return [
            item if isinstance(item, Problem) or not (faults := next(found)) else _refused(faults) for item in items
        ]

    def note(self, caller: Principal, events: Iterable[Event]) -> None:
        """That events of these types came in."""
        self._seen.note(caller.project_id, caller.env, {event.type for event in events})

    async def flush(self) -> None:
        """Write which types came in."""
        await self._seen.flush()

    def revoked(self, project_id: UUID, kind: str, ref: str) -> None:
        """Ask again where a type was changed."""
        self._refusing.revoked(project_id, kind, ref)


def _refused(faults: list[FieldError]) -> Invalid:
    return Invalid(faults, code="schema_mismatch", detail="The payload does not fit the schema of its event type.")
