"""The disk of the database fills up while events flow, and is freed: what was acknowledged is there.

The database lies on a small file system in memory, which only root may mount.
"""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import aiohttp

from tests.client import Client
from tests.crash.checker import read_tables, violations
from tests.crash.installation import SLOTS, Cluster, installed
from tests.crash.ledger import Ledger, Load
from tests.crash.project import arranged
from tests.crash.sink import listening
from tests.crash.trial import drain
from tests.engines import temporary_folder
from tocsin.kit import postgres

MEGABYTES = 320
CHUNK = 64 * 1024
SMALL = {"max_wal_size": "48MB", "min_wal_size": "32MB", "shared_buffers": "32MB"}
BEFORE_SECONDS, FULL_SECONDS, AFTER_SECONDS = 4.0, 4.0, 4.0
LIMIT = 120.0
ORDINARY_SENDS = 4
"""Some clients hang up and send again, whatever the disk is like."""
DRAIN_LIMIT = 30.0


class CannotMount(RuntimeError):
    """This machine does not let us mount a file system; the message says why."""


async def run(*, seed: int = 1) -> list[str]:
    """What does not hold after the disk was full for some seconds. Raises CannotMount."""
    with small_disk() as disk:
        async with (
            listening(seed) as sink,
            installed(cluster=Cluster(disk / "data", SMALL)) as here,
            aiohttp.ClientSession() as http,
        ):
            scene, ledger = await arranged(here, sink, http), Ledger()
            load = Load(ledger, [scene.project.key.at(Client(http, api.url)) for api in here.apis], seed)
            try:
                await asyncio.sleep(BEFORE_SECONDS)
                before = len(ledger.acknowledged)
                _fill(disk / "ballast")
                refused = await _refused(ledger)
                (disk / "ballast").unlink()
                if postgres.server_pid(here.cluster.data) is None:
                    await here.start_postgres()
                await here.whole()
                await asyncio.sleep(AFTER_SECONDS)
            finally:
                await load.stop()
            await drain(here, DRAIN_LIMIT)
            async with here.sql() as connection:
                tables = await read_tables(connection, UUID(scene.project.id))
            found = [*violations(tables, ledger, sink, scene, 4 * SLOTS), *here.complaints]
            if not before or not refused:
                found.append(f"the disk was not full: {before} events acknowledged before, {refused} waiting meanwhile")
            return found


async def _refused(ledger: Ledger) -> int:
    """How many events were refused again and again, a while after the first: what tables and log had taken of the disk
    in advance lasts for some time."""
    deadline = asyncio.get_running_loop().time() + LIMIT
    while not _in_vain(ledger):
        if asyncio.get_running_loop().time() > deadline:
            return 0
        await asyncio.sleep(0.1)
    await asyncio.sleep(FULL_SECONDS)
    return _in_vain(ledger)


def _in_vain(ledger: Ledger) -> int:
    return sum(not entry.acknowledged_as and entry.sends > ORDINARY_SENDS for entry in ledger.entries.values())


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of its own that a server which stepped down from root may enter."""
    if os.geteuid() != 0:
        raise CannotMount("Only root may mount a small file system.")
    with temporary_folder() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=0711", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode:
            raise CannotMount(mounted.stderr.strip())
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"\0" * CHUNK):
            pass
