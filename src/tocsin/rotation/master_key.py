"""Another master key: it wraps every data key anew, and makes what is derived from now on."""

import os
from pathlib import Path
from uuid import UUID

import asyncpg

from tocsin.kit.crypto import MasterKey, Unreadable, bound, new_master_key
from tocsin.kit.expected import Expected

STEP = 500


class NothingToRotate(Expected):
    """There is no second master key; the message says how to give one."""


def add_to_file(master: MasterKey) -> None:
    """Put a new key in front of those in the file; every process reads it as soon as it meets the new key's work.

    With several keys in the file a rotation is under way, and stays the one it is. Raises NothingToRotate when the
    keys come from the environment and there is only one.
    """
    if len(master.ids) > 1:
        return
    if master.file is None:
        raise NothingToRotate(
            "The master key comes from TOCSIN_MASTER_KEY. Start every process with the new key in"
            " TOCSIN_MASTER_KEY_PREVIOUS first, then again with the two exchanged, and then run this with the same"
            f" two. A new key: {new_master_key()}"
        )
    _write(master.file, [new_master_key(), *_lines(master.file)])
    master.refresh()


def drop_from_file(master: MasterKey) -> int:
    """Leave only the current key in the file; how many went."""
    if master.file is None:
        raise NothingToRotate("The master keys come from the environment: take TOCSIN_MASTER_KEY_PREVIOUS away.")
    first, *others = _lines(master.file)
    _write(master.file, [first])
    master.refresh()
    return len(others)


async def wrap_anew(owner: asyncpg.Connection, master: MasterKey) -> tuple[int, list[UUID]]:
    """Wrap every data key with the current master key; how many were, and the ids of those that do not open."""
    done, unreadable, after = 0, [], (UUID(int=0), UUID(int=0))
    while rows := await owner.fetch(
        "SELECT project_id, id, wrapped FROM tocsin.data_keys"
        " WHERE master_key_id <> $1 AND (project_id, id) > ($2, $3) ORDER BY project_id, id LIMIT $4",
        master.id,
        *after,
        STEP,
    ):
        for row in rows:
            place = bound(row["project_id"], "data_keys", row["id"], "wrapped")
            try:
                plain = master.unwrap(row["wrapped"], place)
            except Unreadable:
                unreadable.append(row["id"])
                continue
            await owner.execute(
                "UPDATE tocsin.data_keys SET wrapped = $3, master_key_id = $4 WHERE project_id = $1 AND id = $2",
                row["project_id"],
                row["id"],
                master.wrap(plain, place),
                master.id,
            )
            done += 1
        after = (rows[-1]["project_id"], rows[-1]["id"])
    return done, unreadable


def _lines(file: Path) -> list[str]:
    return [line.strip() for line in file.read_text().splitlines() if line.strip()]


def _write(file: Path, lines: list[str]) -> None:
    """Replace the file in one step: a process that reads it sees the old keys or the new ones."""
    beside = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write("\n".join(lines) + "\n")
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)
