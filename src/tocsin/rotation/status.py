"""Which keys there are, how old they are, and what still hangs on those that should go."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from tocsin.kit.crypto import MasterKey


@dataclass(frozen=True, slots=True)
class MasterUse:
    """What hangs on one master key: data keys it wraps, and API keys whose HMAC it made."""

    id: str
    accepted: bool
    data_keys: int
    api_keys: int


@dataclass(frozen=True, slots=True)
class Status:
    masters: list[MasterUse]
    projects: int
    rotating: int
    """Projects with more than one data key: their rotation is not finished."""
    oldest: datetime | None
    """When the oldest data key that seals was made."""

    @property
    def safe_to_drop(self) -> bool:
        """Whether nothing would be lost with the master keys behind the first. API keys are not: bcrypt knows them."""
        return not any(use.data_keys for use in self.masters[1:])


async def read_status(owner: asyncpg.Connection, master: MasterKey) -> Status:
    wrapped = {
        row["id"]: row["count"]
        for row in await owner.fetch("SELECT master_key_id AS id, count(*) FROM tocsin.data_keys GROUP BY 1")
    }
    macs = {
        row["id"]: row["count"]
        for row in await owner.fetch(
            "SELECT encode(substring(secret_mac FOR 4), 'hex') AS id, count(*) FROM tocsin.api_keys"
            " WHERE status = 'active' GROUP BY 1"
        )
    }
    ids = dict.fromkeys([*master.ids, *wrapped, *macs])
    row = await owner.fetchrow(
        "SELECT count(*) AS projects, count(*) FILTER (WHERE keys > 1) AS rotating, min(newest) AS oldest FROM ("
        " SELECT count(*) AS keys, max(created_at) AS newest FROM tocsin.data_keys GROUP BY project_id) k"
    )
    return Status(
        [MasterUse(id_, id_ in master.ids, wrapped.get(id_, 0), macs.get(id_, 0)) for id_ in ids],
        row["projects"],
        row["rotating"],
        row["oldest"],
    )
