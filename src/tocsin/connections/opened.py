"""What connections send with, unsealed: a bounded number of them, each no longer than it is used (C6).

Nobody is disturbed when one is dropped: whoever sends with it has it in hand, and the next one opens it again.
"""

import time
from collections import OrderedDict
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from pydantic import ValidationError

from tocsin.channels.contract import Channel, Described
from tocsin.kit.crypto import Unreadable
from tocsin.kit.vault import Vault

OPENED_AT_MOST = 100
"""Unless the operator says another number. A bot takes under 4 KiB here, no session and no client, so what this bounds
is how many secrets lie open in memory; one that had to give way is read again for its next message."""
IDLE_SECONDS = 30 * 60
LOOK_OVER_SECONDS = 5 * 60

_SECRETS = """
SELECT c.updated_at, c.credentials, c.settings, h.token FROM tocsin.connections c
LEFT JOIN tocsin.hooks h ON h.project_id = c.project_id AND h.connection_id = c.id
WHERE c.project_id = $1 AND c.id = $2
"""


class Opened(NamedTuple):
    """What a connection sends with, as of its last change. ``token`` is of the address where its provider calls."""

    version: datetime
    settings: Described
    credentials: Described
    token: str | None = None


class Closed(Exception):
    """The secrets of a connection cannot be read, as of ``version``."""

    def __init__(self, version: datetime) -> None:
        super().__init__("credentials_unreadable")
        self.version = version


class _Kept(NamedTuple):
    opened: Opened
    used_at: float


class OpenedConnections:
    """Those that this process has used lately, ``most`` of them, the longest unused first."""

    def __init__(self, most: int = OPENED_AT_MOST) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[UUID, UUID], _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, project_id: UUID, id_: UUID, version: datetime) -> Opened | None:
        """What is kept of a connection, unless it has changed since."""
        kept = self._kept.get((project_id, id_))
        if kept is None or kept.opened.version != version:
            return None
        self.keep(project_id, id_, kept.opened)
        return kept.opened

    def keep(self, project_id: UUID, id_: UUID, opened: Opened) -> None:
        self._kept[project_id, id_] = _Kept(opened, time.monotonic())
        self._kept.move_to_end((project_id, id_))
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    async def look_over(self) -> bool:
        """Drop what nobody has used for so long; a stage of the worker, which never has more to do at once."""
        since = time.monotonic() - IDLE_SECONDS
        while self._kept and next(iter(self._kept.values())).used_at < since:
            self._kept.popitem(last=False)
        return False


async def opened(
    connection: asyncpg.Connection, vault: Vault, project_id: UUID, id_: UUID, channel: Channel[Any, Any]
) -> Opened | None:
    """Read and unseal a connection inside its project; None when it is gone. Raises Closed."""
    row = await connection.fetchrow(_SECRETS, project_id, id_)
    if row is None:
        return None
    try:
        plain = "{}"
        if row["credentials"] is not None:
            plain = await vault.open(connection, project_id, "connections", id_, "credentials", row["credentials"])
        return Opened(
            row["updated_at"],
            channel.settings.model_validate(msgspec.json.decode(row["settings"])),
            channel.credentials.model_validate(msgspec.json.decode(plain)),
            row["token"],
        )
    except (Unreadable, ValidationError):
        raise Closed(row["updated_at"]) from None
