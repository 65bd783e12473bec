"""Bringing the schema up to date in a process of its own: what that takes of memory ends with it."""

import asyncio
import os
import signal
import subprocess
import sys

from tocsin.kit.expected import Expected
from tocsin.kit.lifeline import tied_to_parent


class NotMigrated(Expected):
    """`tocsin migrate` failed; the message is what it said."""


async def bring_up_to_date(installer_url: str) -> None:
    """Run it to its end, whatever we are told meanwhile: a migration is not cut off. Raises NotMigrated."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tocsin", "migrate"),
        env={**os.environ, "TOCSIN_DATABASE_URL": installer_url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=tied_to_parent(signal.SIGTERM),
    )
    _, said = await process.communicate()
    if process.returncode != 0:
        raise NotMigrated(said.decode(errors="replace").strip().removeprefix("tocsin: "))
