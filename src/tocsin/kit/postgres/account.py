"""Who runs the server: PostgreSQL refuses root, so root steps down to somebody who can reach all it needs."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.kit.postgres.binaries import Binaries, CannotStart

_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The owner of the files, and how a program is started as that owner."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def popen_options(self) -> dict[str, Any]:
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Own a folder and all in it; itself last, so that a cut-off run is repeated. Follows no links."""
        if not path.exists() or path.stat().st_uid == self.uid:
            return
        for folder, folders, files in os.walk(path, topdown=False):
            for name in (*folders, *files):
                os.chown(os.path.join(folder, name), self.uid, self.gid, follow_symlinks=False)  # noqa: PTH118
        os.chown(path, self.uid, self.gid)


def account_for(data_dir: Path, binaries: Binaries) -> Account:
    """The first account that reaches the binaries and the folder of the data: ourselves, unless we are root.

    Raises CannotStart when there is none. Permissions of parent folders are never widened to make one fit.
    """
    root = os.geteuid() == 0
    candidates = _instead_of_root(data_dir) if root else _owner(os.geteuid(), os.getegid())
    for account in candidates:
        if _reaches(account, data_dir.parent, binaries):
            return account
    if not root:
        raise CannotStart(f"User id {os.geteuid()} may not enter {binaries.folder} or {data_dir.parent}.")
    raise CannotStart(
        "PostgreSQL does not run as root, no unprivileged account reaches both"
        f" {binaries.folder} and {data_dir.parent}, and the kernel refuses a user namespace (unshare -U)."
        " Start Tocsin as an ordinary user, or move both to folders that everybody may enter"
        " (for the data set TOCSIN_HOME, for example to /var/lib/tocsin)."
    )


def _instead_of_root(data_dir: Path) -> Iterator[Account]:
    for path in (data_dir, data_dir.parent):
        if path.exists() and (owner := path.stat()).st_uid != 0:
            yield from _owner(owner.st_uid, owner.st_gid)
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        yield Account(entry.pw_uid, entry.pw_gid)
    yield from _namespaced(0, 0)


def _owner(uid: int, gid: int) -> Iterator[Account]:
    """That user; initdb wants a name for it, which in a container often only a user namespace gives."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        yield from _namespaced(uid, gid)
    yield Account(uid, gid)


def _namespaced(uid: int, gid: int) -> Iterator[Account]:
    """Inside the server is nobody; seen from outside it is still that user, and so are its files."""
    if unshare := shutil.which("unshare"):
        yield Account(uid, gid, (unshare, "-U", "--map-user=65534", "--map-group=65534"))


def _reaches(account: Account, folder: Path, binaries: Binaries) -> bool:
    """Tried, not computed from mode bits: access lists, namespaces and mounts have their say as well."""
    attempt = ["/bin/sh", "-c", 'cd "$1" && exec "$2" --version', "sh", str(folder), binaries.postgres]
    try:
        answer = subprocess.run(
            [*account.prefix, *attempt], capture_output=True, cwd="/", timeout=20, **account.popen_options()
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0
