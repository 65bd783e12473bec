"""The sounds that come with Tocsin, as `synthesis` made them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from uuid import UUID

HERE = Path(__file__).parent / "built_in"

_NUMBERS = {"bell": 1, "cash_register": 2, "chime": 3, "horn": 4, "knock": 5, "ping": 6, "siren": 7, "thud": 8}
"""Their ids end in these. A number is never given to another sound, and never taken from one."""

MADE_AT = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass(frozen=True)
class BuiltIn:
    """One of ours; ``digest`` is of its MP3."""

    id: UUID
    name: str
    digest: str
    duration_ms: int

    @cached_property
    def data(self) -> bytes:
        return (HERE / f"{self.name}.mp3").read_bytes()


def _read() -> dict[str, BuiltIn]:
    known = json.loads((HERE / "known.json").read_text())
    return {
        name: BuiltIn(UUID(f"00000000-0000-7000-8000-736f756e{number:04x}"), name, **known[name])
        for name, number in _NUMBERS.items()
    }


BUILT_IN = _read()
BY_ID = {each.id: each for each in BUILT_IN.values()}
BY_DIGEST = {each.digest: each for each in BUILT_IN.values()}


def digest_of(name: str | None, own: str | None) -> str | None:
    """Of the content that a name stands for: the project's own sound of that name, else ours, else there is none."""
    if own is not None or name is None:
        return own
    ours = BUILT_IN.get(name)
    return ours.digest if ours else None
