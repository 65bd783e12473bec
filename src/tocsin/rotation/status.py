"""Which keys there are, how old they are, and what still hangs on those that should go."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from tocsin.kit.crypto import MasterKey


@dataclass(frozen=True, slots=True)
class MasterUse:
    """What hangs on one master key: data keys it wraps, API keys and recovery codes whose HMAC it made."""

    id: str
    accepted: bool
    data_keys: int
    api_keys: int
    recovery_codes: int


@dataclass(frozen=True, slots=True)
class Status:
    masters: list[MasterUse]
    projects: int
    rotating: int
    """Projects with more than one data key: their rotation is not finished."""
    oldest: datetime | None
    """When the oldest data key that seals was made."""


async def read_status(owner: asyncpg.Connection, master: MasterKey) -> Status:
    wrapped = await _counts(owner, "SELECT master_key_id AS id, count(*) FROM tocsin.data_keys GROUP BY 1")
    macs = await _counts(
        owner,
        "SELECT encode(substring(secret_mac FOR 4), 'hex') AS id, count(*) FROM tocsin.api_keys"
        " WHERE status = 'active' GROUP BY 1",
    )
    codes = await _counts(
        owner, "SELECT encode(substring(code_mac FOR 4), 'hex') AS id, count(*) FROM tocsin.recovery_codes GROUP BY 1"
    )
    ids = dict.fromkeys([*master.ids, *wrapped, *macs, *codes])
    row = await owner.fetchrow(
        "SELECT count(*) AS projects, count(*) FILTER (WHERE keys > 1) AS rotating, min(newest) AS oldest FROM ("
        " SELECT count(*) AS keys, max(created_at) AS newest FROM tocsin.data_keys GROUP BY project_id) k"
    )
    return Status(
        [MasterUse(id_, id_ in master.ids, *(found.get(id_, 0) for found in (wrapped, macs, codes))) for id_ in ids],
        row["projects"],
        row["rotating"],
        row["oldest"],
    )


async def _counts(owner: asyncpg.Connection, query: str) -> dict[str, int]:
    return {row["id"]: row["count"] for row in await owner.fetch(query)}
