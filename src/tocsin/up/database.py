"""The database of an installation on one machine: the operator's, or the embedded one in HOME."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tocsin.kit import postgres
from tocsin.settings import Settings


@dataclass(frozen=True, slots=True)
class Source:
    """Where the database is: the installer's URL, and words for the screen without a password."""

    installer_url: str
    words: str


@contextmanager
def database(settings: Settings) -> Iterator[Source]:
    """The given database; without one the embedded server, started or adopted, and stopped at the end.

    The server is tied to us: were it to outlive a killed `tocsin up`, a machine would keep a stray server that
    nobody shows. It shuts down by itself then, and the next start waits for that. Where the kernel cannot tie
    it (not Linux) the next start adopts it. Raises CannotStart. Call it from the main thread.
    """
    if settings.database_url is not None:
        yield Source(str(settings.database_url), f"given, at {_place(str(settings.database_url))}")
        return
    server = postgres.start(_folder(settings), postgres.find_binaries(settings.postgres_bin), daemon=False)
    try:
        yield Source(server.dsn(), f"embedded PostgreSQL {server.binaries.major}, port {server.port}")
    finally:
        server.stop()


def with_database(settings: Settings) -> Settings:
    """The settings with the running embedded server as their database, where none is given and one runs.

    For commands beside a running `tocsin up`. Nothing is started.
    """
    folder = _folder(settings)
    if settings.database_url is not None or postgres.server_pid(folder) is None:
        return settings
    server = postgres.start(folder, postgres.find_binaries(settings.postgres_bin), daemon=False)
    return settings.model_copy(update={"database_url": server.dsn()})


def _folder(settings: Settings) -> Path:
    return settings.home / "postgres"


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"
