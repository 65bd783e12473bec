"""The files beside a data folder: private, durable, and locks that live as long as who holds them."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tocsin.kit.postgres.binaries import CannotStart

_POLL = 0.02


def beside(data_dir: Path, suffix: str) -> Path:
    return data_dir.with_name(f"{data_dir.name}.{suffix}")


def open_private(path: Path, flags: int) -> int:
    """Open or create a private file that belongs to whom its folder belongs, also when we are root."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


@contextlib.contextmanager
def locked(path: Path, deadline: float) -> Iterator[int]:
    """Hold the lock file. A child that inherits the descriptor goes on holding it as long as it lives."""
    descriptor = open_private(path, os.O_RDWR)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise CannotStart(
                        f"Processes of another start or of an earlier server still hold {path}. Wait for them"
                        f" to end, or see who they are with: fuser -v {path}"
                    ) from None
            time.sleep(_POLL)
        yield descriptor
    finally:
        os.close(descriptor)


def write_secret(path: Path, secret: str) -> None:
    descriptor = open_private(path, os.O_WRONLY | os.O_TRUNC)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
        file.flush()
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
