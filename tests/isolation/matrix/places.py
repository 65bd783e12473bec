"""Calls as values, and the ids that stand in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.client import Client, Reply


class Id(str):
    """An id in a call: of what kind of thing, and what it is wrapped in (``private-user-{}``)."""

    kind: str
    around: str

    def __new__(cls, value: str, kind: str, around: str = "{}") -> "Id":
        made = super().__new__(cls, around.format(value))
        made.kind, made.around = kind, around
        return made

    def replaced(self, value: str) -> str:
        return self.around.format(value)


@dataclass(frozen=True)
class Ask:
    """One call of an operation, before anybody makes it."""

    method: str
    template: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    async def by(self, caller: Client) -> Reply:
        path = self.template.removeprefix("/api/v1").format(**self.path)
        return await caller.send(self.method, path, self.body, params=self.query, headers=self.headers)

    def places(self) -> Iterator["Place"]:
        """Every id in the call."""
        for part in ("path", "query", "headers", "body"):
            for steps, id_ in _ids(getattr(self, part), ()):
                yield Place(part, steps, id_)

    def with_id(self, place: "Place", value: str) -> "Ask":
        """The same call with another value in one place."""
        changed = _put(getattr(self, place.part), place.steps, place.id.replaced(value))
        return replace(self, **{place.part: changed})


@dataclass(frozen=True)
class Place:
    """Where an id stands: ``body /targetUsers/0``."""

    part: str
    steps: tuple[Any, ...]
    id: Id

    def __str__(self) -> str:
        return f"{self.part} /{'/'.join(map(str, self.steps))}"


def _ids(value: Any, steps: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Id]]:
    if isinstance(value, Id):
        yield steps, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _ids(inner, (*steps, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _ids(inner, (*steps, index))


def _put(value: Any, steps: tuple[Any, ...], new: Any) -> Any:
    if not steps:
        return new
    first, *rest = steps
    if isinstance(value, list):
        return [_put(inner, tuple(rest), new) if index == first else inner for index, inner in enumerate(value)]
    return {name: _put(inner, tuple(rest), new) if name == first else inner for name, inner in value.items()}
