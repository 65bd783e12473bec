"""What was done to a chain, as far as it can still be told."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from tocsin.audit.chain import GENESIS, details_fit, entry_hash

Kind = Literal["changed", "details", "removed", "reordered", "inserted", "erased", "cut", "rewritten"]
"""``details``: only those are not what they were; ``erased``: they are gone and nobody says who erased them."""

_RENUMBERED_AT_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry of a project's chain that is not as it was sealed."""

    project: str
    seq: int
    entry: UUID | None
    kind: Kind
    words: str


def look_at(before: bytes, expected: int, entry: Mapping[str, Any]) -> Kind | None:
    """What is wrong with the entry that stands at place ``expected``; None when it is as it was."""
    if entry["seq"] > expected:
        return "removed"
    if entry_hash(before, expected, entry) != entry["hash"]:
        return "changed"
    return None if details_fit(entry) else "details"


async def told_apart(
    before: bytes, bad: Mapping[str, Any], after: Mapping[str, Any] | None, chain: AsyncIterable[Mapping[str, Any]]
) -> tuple[Kind, str]:
    """Why the hash of ``bad`` does not fit: it stands elsewhere, or something was put in or taken out before it.

    ``after`` is the entry that follows it, ``chain`` is the whole of it, read once more.
    """
    seq = bad["seq"]
    if after is not None:
        if entry_hash(after["hash"], seq + 1, bad) == bad["hash"]:
            return "reordered", f"it was sealed as number {seq + 1}"
        if entry_hash(before, seq, after) == after["hash"]:
            return "inserted", f"the entry after it was sealed as number {seq}"
        for gap in range(1, _RENUMBERED_AT_MOST):
            if entry_hash(bad["hash"], after["seq"] + gap, after) == after["hash"]:
                return "removed", f"{gap} before it missing, and those after were numbered anew"
    place = await _own_place(bad, chain)
    if place is not None:
        return "reordered", f"it was sealed as number {place}"
    return "changed", "its fields or its hash are not those that were sealed"


async def _own_place(bad: Mapping[str, Any], chain: AsyncIterable[Mapping[str, Any]]) -> int | None:
    """Where an entry was sealed, if hashes of that place are still about."""
    last = GENESIS
    async for other in chain:
        here = other["seq"]
        if here != bad["seq"] and entry_hash(last, here, bad) in (bad["hash"], other["hash"]):
            return int(here)
        last = other["hash"]
    return None
