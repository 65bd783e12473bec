"""How much may be sent over a connection: what its owner wants, below what the project's and the platform's admins set.

``ceilings`` keeps what each of them set, under who did; ``max_concurrent`` and ``rate_limit_rps`` are the least of it.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from tocsin.connections.models import Connection
from tocsin.connections.schemas import Limits
from tocsin.kit.errors import FieldError, Invalid
from tocsin.kit.schema import WHOLE, Body

Setter = Literal["owner", "project", "platform"]

_NAMES = ("maxConcurrent", "requestsPerSecond")
_ABOVE: dict[Setter, tuple[Setter, ...]] = {"owner": ("project", "platform"), "project": ("platform",), "platform": ()}


class LimitsUpdate(Body):
    """What is left out stays; null takes a limit away."""

    max_concurrent: Annotated[int, Field(ge=1, le=100), WHOLE] | None = None
    requests_per_second: Annotated[int, Field(ge=1, le=1_000), WHOLE] | None = None


def limit(row: Connection, setter: Setter, wanted: LimitsUpdate) -> None:
    """Set what was sent. Raises Invalid for more than those above the setter allow."""
    sent = wanted.model_dump(by_alias=True, exclude_unset=True)
    highest = _least(row, _ABOVE[setter])
    if above := [name for name, value in sent.items() if value and value > (highest[name] or value)]:
        raise Invalid([FieldError(f"/{name}", "above_ceiling", f"At most {highest[name]} here.") for name in above])
    stored = row.ceilings or {}
    row.ceilings = {**stored, setter: {**stored.get(setter, {}), **sent}}
    least = _least(row, ("owner", "project", "platform"))
    row.max_concurrent, row.rate_limit_rps = least["maxConcurrent"], least["requestsPerSecond"]


def limits_of(row: Connection) -> Limits:
    """What holds."""
    return Limits(max_concurrent=row.max_concurrent, requests_per_second=row.rate_limit_rps)


def ceilings_of(row: Connection) -> Limits:
    """What its owner cannot go above."""
    return Limits.model_validate(_least(row, _ABOVE["owner"]))


def capped_by(row: Connection, setters: Iterable[Setter]) -> list[Setter]:
    """Those of them who have set a ceiling that holds."""
    return [setter for setter in setters if any((row.ceilings or {}).get(setter, {}).values())]


def _least(row: Connection, setters: Iterable[Setter]) -> dict[str, int | None]:
    stored: dict[str, Any] = row.ceilings or {}
    of_each = [stored.get(setter, {}) for setter in setters]
    return {name: min((each[name] for each in of_each if each.get(name)), default=None) for name in _NAMES}
