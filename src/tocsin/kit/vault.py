"""Sealing and opening secrets of a project with its own data key.

Works on either kind of connection, inside the caller's transaction and scope; opened data keys are kept
in memory by their id, which never changes meaning.
"""

from collections import OrderedDict
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.crypto import DataKey, MasterKey, Unreadable, bound, data_key_id, fingerprint
from tocsin.kit.ids import new_id

Scoped: TypeAlias = "AsyncSession | asyncpg.Connection"

_KEPT = 10_000


class Vault:
    def __init__(self, master: MasterKey) -> None:
        self._master = master
        self._opened: OrderedDict[tuple[UUID, UUID], DataKey] = OrderedDict()

    async def new_data_key(self, scoped: Scoped, project_id: UUID) -> None:
        """Give the project a fresh data key; from now on it seals, the older ones only open."""
        key, wrapped = DataKey.new(self._master, project_id, new_id())
        # The id of the master key after the wrapping, which may have met a new one.
        await _fetch(
            scoped,
            "INSERT INTO tocsin.data_keys (project_id, id, master_key_id, wrapped) VALUES (:a, :b, :c, :d)"
            " RETURNING id",
            (project_id, key.id, self._master.id, wrapped),
        )
        self._keep(project_id, key)

    async def seal(self, scoped: Scoped, project_id: UUID, table: str, row: UUID | str, field: str, plain: str) -> str:
        """The sealed form of a secret that belongs into that field of that row, and opens nowhere else.

        The key is held until the transaction has written the value, so that a rotation does not remove it before.
        """
        rows = await _fetch(
            scoped,
            "SELECT id, wrapped FROM tocsin.data_keys WHERE project_id = :a ORDER BY id DESC LIMIT 1 FOR KEY SHARE",
            (project_id,),
        )
        if not rows:
            raise Unreadable("the project has no data key")
        key = self._unwrapped(project_id, rows[0][0], rows[0][1])
        return key.seal(plain.encode(), bound(project_id, table, row, field))

    async def open(self, scoped: Scoped, project_id: UUID, table: str, row: UUID | str, field: str, sealed: str) -> str:
        """The secret again; raises Unreadable when it was moved, damaged, or its key is gone."""
        id_ = data_key_id(sealed)
        key = self._opened.get((project_id, id_))
        if key is None:
            rows = await _fetch(
                scoped,
                "SELECT wrapped FROM tocsin.data_keys WHERE project_id = :a AND id = :b",
                (project_id, id_),
            )
            if not rows:
                raise Unreadable("the data key of this value does not exist in this project")
            key = self._unwrapped(project_id, id_, rows[0][0])
        return key.open(sealed, bound(project_id, table, row, field)).decode()

    def fingerprints(self, purpose: str, plain: str) -> list[bytes]:
        """Keyed hashes by which a text is known again wherever it stands, of every accepted master key, the present
        one's first."""
        self._master.refresh()
        return [fingerprint(key, plain) for key in self._master.derived(purpose)]

    def _unwrapped(self, project_id: UUID, id_: UUID, wrapped: bytes) -> DataKey:
        key = self._opened.get((project_id, id_))
        if key is None:
            key = DataKey.opened(self._master, project_id, id_, wrapped)
            self._keep(project_id, key)
        return key

    def _keep(self, project_id: UUID, key: DataKey) -> None:
        self._opened[project_id, key.id] = key
        if len(self._opened) > _KEPT:
            self._opened.popitem(last=False)


async def _fetch(scoped: Scoped, sql: str, values: tuple[Any, ...]) -> list[Any]:
    names = "abcd"[: len(values)]
    if isinstance(scoped, AsyncSession):
        return list(await scoped.execute(text(sql), dict(zip(names, values, strict=True))))
    for number, name in enumerate(names, start=1):
        sql = sql.replace(f":{name}", f"${number}")
    return list(await scoped.fetch(sql, *values))
