"""How a data folder comes to be: whole or not at all, with a random password and a collation that stays."""

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from tocsin.kit.lifeline import tied_to_parent
from tocsin.kit.postgres.account import Account
from tocsin.kit.postgres.binaries import Binaries, CannotStart
from tocsin.kit.postgres.files import beside, sync_folder, write_secret

SUPERUSER = "postgres"


def is_made(data_dir: Path) -> bool:
    return (data_dir / "PG_VERSION").exists()


def make(data_dir: Path, binaries: Binaries, account: Account, held: int, *, durable: bool) -> None:
    """Run ``initdb`` in a folder beside, then move it into place, so that a half-made one is never served."""
    workspace = beside(data_dir, "new")
    if workspace.exists():
        shutil.rmtree(workspace)
    workspace.mkdir(mode=0o700)
    password = secrets.token_hex(24)
    write_secret(workspace / "password", password)
    account.take(workspace)
    _run_initdb(workspace, binaries, account, held, durable=durable)
    write_secret(beside(data_dir, "password"), password)
    (workspace / "data").rename(data_dir)
    sync_folder(data_dir.parent)
    shutil.rmtree(workspace)


def _run_initdb(workspace: Path, binaries: Binaries, account: Account, held: int, *, durable: bool) -> None:
    command = [*account.prefix, binaries.initdb, "-D", str(workspace / "data"), "-U", SUPERUSER]
    command += ["--auth=scram-sha-256", f"--pwfile={workspace / 'password'}", "-E", "UTF8", "--no-locale"]
    command += ["--data-checksums", "--no-instructions"]
    if binaries.major >= 17:  # a collation that no upgrade of the system's libraries can change
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if not durable:
        command.append("--no-sync")
    answer = subprocess.run(
        command,
        cwd="/",
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        pass_fds=(held,),
        preexec_fn=tied_to_parent(signal.SIGTERM),
        **account.popen_options(),
    )
    if answer.returncode != 0:
        words = answer.stdout.decode(errors="replace").strip()
        raise CannotStart(
            f"The data folder could not be made; initdb says:\n{words[-2000:]}\n"
            "If it misses the user: run Tocsin under a user id that has an entry in /etc/passwd."
        )


def environment() -> dict[str, str]:
    """Next to nothing: our own environment carries secrets, and PG* variables of the user would interfere."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
