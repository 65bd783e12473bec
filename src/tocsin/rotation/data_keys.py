"""Another data key for a project: from the first moment it seals, and what older ones sealed is sealed anew.

The application goes on meanwhile. It reads under any key of the project, and writes win: a value is replaced only
where it is still the one that was read. An old key is removed when no row names it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from tocsin.kit.crypto import Unreadable
from tocsin.kit.vault import Vault
from tocsin.rotation.sealed_columns import SEALED, SealedColumn

STEP = 100
PER_SECOND = 500
GRACE_SECONDS = 2.0
"""An old key stays so long after the last value: somebody may have read the row before, and opens it now."""

Seen = Callable[[int], None]


@dataclass(slots=True)
class Rotated:
    """What a rotation did. ``unreadable`` names values that open under no key; their owners must set them again."""

    projects: int = 0
    values: int = 0
    removed: int = 0
    unreadable: list[str] = field(default_factory=list)


async def rotate_data_keys(
    owner: asyncpg.Connection, vault: Vault, slug: str | None, seen: Seen, per_second: int = PER_SECOND
) -> Rotated:
    """Rotate one project, or all. ``owner`` is a connection that sees every row.

    Where an earlier rotation was interrupted it is finished first, with the key that it made. Raises KeyError when
    there is no such project.
    """
    done = Rotated()
    projects = await owner.fetch(
        "SELECT p.id, p.slug, (SELECT count(*) FROM tocsin.data_keys k WHERE k.project_id = p.id) AS keys"
        " FROM tocsin.projects p WHERE $1::text IS NULL OR p.slug = $1 ORDER BY p.id",
        slug,
    )
    if slug is not None and not projects:
        raise KeyError(slug)
    works = [
        _Work(owner, vault, project["id"], project["slug"], done, seen, per_second)
        for project in projects
        if project["keys"]
    ]
    for project in projects:
        if project["keys"] == 1:
            await vault.new_data_key(owner, project["id"])
    for work in works:
        await work.pass_over_all()
    await asyncio.sleep(GRACE_SECONDS)
    for work in works:
        await work.finish()
    done.projects = len(works)
    return done


async def count_outdated(owner: asyncpg.Connection, slug: str | None) -> int:
    """How many values there are to seal anew, at most; for the progress bar."""
    counts = [
        await owner.fetchval(
            f"SELECT count(t.{each.column}) FROM tocsin.{each.table} t JOIN tocsin.projects p ON p.id = t.project_id"  # noqa: S608
            " WHERE $1::text IS NULL OR p.slug = $1",
            slug,
        )
        for each in SEALED
    ]
    return sum(counts)


@dataclass(slots=True)
class _Work:
    """The rotation of one project."""

    owner: asyncpg.Connection
    vault: Vault
    project_id: UUID
    slug: str
    done: Rotated
    seen: Seen
    per_second: int

    async def finish(self) -> None:
        """Remove older keys, but for those of values that do not open.

        One pass may have missed what a transaction sealed that had begun before the new key was there.
        """
        values = -1
        while values != self.done.values:
            values = self.done.values
            newest = await self.pass_over_all()
            self.done.removed += await _remove_unused(self.owner, self.project_id, newest)

    async def pass_over_all(self) -> UUID:
        """Seal anew what is not under the newest key; its id."""
        newest: UUID = await self.owner.fetchval(
            "SELECT id FROM tocsin.data_keys WHERE project_id = $1 ORDER BY id DESC LIMIT 1", self.project_id
        )
        for sealed in SEALED:
            await self._pass_over(sealed, newest)
        return newest

    async def _pass_over(self, sealed: SealedColumn, newest: UUID) -> None:
        after: tuple[Any, ...] = ()
        pattern = f"v1.{newest}.%"
        while rows := await self.owner.fetch(
            _outdated(sealed, first=not after), self.project_id, pattern, STEP, *after
        ):
            begun = time.monotonic()
            for row in rows:
                await self._seal_anew(sealed, row)
            self.seen(len(rows))
            after = tuple(rows[-1][name] for name in sealed.key)
            await asyncio.sleep(max(0.0, len(rows) / self.per_second - (time.monotonic() - begun)))

    async def _seal_anew(self, sealed: SealedColumn, row: Mapping[str, Any]) -> None:
        place = (sealed.table, sealed.row(row), sealed.column)
        try:
            plain = await self.vault.open(self.owner, self.project_id, *place, row["value"])
        except Unreadable:
            where = f"{self.slug}: {sealed.table}.{sealed.column} of {place[1]}"
            if where not in self.done.unreadable:
                self.done.unreadable.append(where)
            return
        key = [row[name] for name in sealed.key]
        async with self.owner.transaction():
            anew = await self.vault.seal(self.owner, self.project_id, *place, plain)
            changed = await self.owner.execute(_replace(sealed), anew, row["value"], self.project_id, *key)
        self.done.values += changed == "UPDATE 1"


async def _remove_unused(owner: asyncpg.Connection, project_id: UUID, newest: UUID) -> int:
    """Remove the older keys that no value names; how many. Whoever still seals with one is waited for."""
    removed = 0
    old = await owner.fetch(
        "SELECT id FROM tocsin.data_keys WHERE project_id = $1 AND id <> $2 ORDER BY id", project_id, newest
    )
    for row in old:
        async with owner.transaction():
            await owner.execute(
                "SELECT FROM tocsin.data_keys WHERE project_id = $1 AND id = $2 FOR UPDATE", project_id, row["id"]
            )
            if not await named(owner, project_id, row["id"]):
                await owner.execute(
                    "DELETE FROM tocsin.data_keys WHERE project_id = $1 AND id = $2", project_id, row["id"]
                )
                removed += 1
    return removed


async def named(owner: asyncpg.Connection, project_id: UUID, key_id: UUID) -> int:
    """How many values of the project are sealed with this key."""
    counts = [
        await owner.fetchval(
            f"SELECT count(*) FROM tocsin.{each.table} WHERE project_id = $1 AND {each.column} LIKE $2",  # noqa: S608
            project_id,
            f"v1.{key_id}.%",
        )
        for each in SEALED
    ]
    return sum(counts)


# The names in these statements come from SEALED alone.


def _outdated(sealed: SealedColumn, *, first: bool) -> str:
    """A page of values under older keys: ``$1`` project, ``$2`` pattern of the newest key, ``$3`` how many."""
    key = ", ".join(sealed.key)
    after = "" if first else f" AND ({key}) > ({', '.join(f'${n}' for n in range(4, 4 + len(sealed.key)))})"
    return (
        f"SELECT project_id, {key}, {sealed.column} AS value FROM tocsin.{sealed.table}"  # noqa: S608
        f" WHERE project_id = $1 AND {sealed.column} NOT LIKE $2{after} ORDER BY {key} LIMIT $3"
    )


def _replace(sealed: SealedColumn) -> str:
    same = " AND ".join(f"{name} = ${n}" for n, name in enumerate(sealed.key, start=4))
    return (
        f"UPDATE tocsin.{sealed.table} SET {sealed.column} = $1"  # noqa: S608
        f" WHERE {sealed.column} = $2 AND project_id = $3 AND {same}"
    )
