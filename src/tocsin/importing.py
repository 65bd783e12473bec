"""`tocsin import`: what a single-tenant installation had, into a project of this one, and back out."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from tocsin.imports.bring_in import bring_in
from tocsin.imports.env_file import read_env_file
from tocsin.imports.export import is_export, read_export
from tocsin.imports.holders import NobodyThere, holders_of
from tocsin.imports.report import Report
from tocsin.imports.roll_back import ChangedSince, find_import, roll_back
from tocsin.imports.variables import read_variables
from tocsin.imports.wanted import MOST_BYTES, BadInput, Part, Source
from tocsin.imports.work import Work
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database
from tocsin.kit.ids import PLATFORM_ID, parse_id
from tocsin.kit.vault import Vault
from tocsin.startup import Installation
from tocsin.users.contact import normal_email

_FIND_PROJECT = text("SELECT project_id, status FROM tocsin.find_project(:slug)")
_WHOSE_IMPORT = text("SELECT tocsin.find_import(:id)")


class NotImported(Exception):
    """What was asked for cannot be; the message says why, a line for each reason."""


async def bring(
    installation: Installation,
    file: Path | None,
    environment: Mapping[str, str],
    slug: str,
    whose: str | None,
    provider: str | None,
    *,
    dry_run: bool,
) -> Report:
    """What a file says, a .env or an export, else what the environment does: of one provider, else of all.

    Variables are for ``project``, ``admins`` or the person of an e-mail; an export names its people.
    """
    with _named(str(file) if file else "the environment"):
        given = _read(file, environment, whose, provider)
    command = f"tocsin import {provider or 'all'}"
    async with _database(installation) as db:
        project_id = await _project(db, slug)
        async with db.scope(project_id, "live") as session:
            try:
                await holders_of(session, given.must_be_there)
            except NobodyThere as nobody:
                raise NotImported(f"{slug}: {nobody}.") from None
            work = Work(session, Vault(installation.master), project_id, command)
            report = await bring_in(work, slug, given.source, given.parts, given.left_out)
            if dry_run:
                # Everything was done, limits and all, so the report is exact; none of it stays.
                await session.rollback()
                return report.of_dry_run()
    return report


async def undo(installation: Installation, import_id: str) -> list[str]:
    """Put back what an import has changed; what was done, and nothing where that was put back before."""
    id_ = parse_id(import_id)
    if id_ is None:
        raise NotImported(f"{import_id!r} is no id of an import; the import printed it.")
    async with _database(installation) as db:
        async with db.unscoped() as session:
            project_id: UUID | None = await session.scalar(_WHOSE_IMPORT, {"id": id_})
        if project_id is None:
            raise NotImported("There is no such import; each can be put back for 30 days.")
        async with db.scope(project_id, "live") as session:
            work = Work(session, Vault(installation.master), project_id, "tocsin import rollback")
            return await _undone(work, id_)


class _Given(NamedTuple):
    source: Source
    parts: tuple[Part, ...]
    left_out: list[str]
    must_be_there: str
    """Without these people nothing is imported; whoever else is missing is skipped."""


def _read(file: Path | None, environment: Mapping[str, str], whose: str | None, provider: str | None) -> _Given:
    raw = _content(file) if file else None
    if raw is not None and is_export(raw):
        if whose is not None:
            raise BadInput("this is an export, which says itself whose each connection is; leave --for away.")
        return _Given("export", *read_export(raw, provider), "project")
    wanted = _whose(whose or "project")
    accounts, left_out = read_variables(environment if raw is None else read_env_file(raw), provider)
    return _Given("env", (Part(wanted, accounts),), left_out, wanted)


def _whose(whose: str) -> str:
    if whose in ("project", "admins"):
        return whose
    try:
        return normal_email(whose)
    except ValueError as error:
        raise NotImported(f"--for is project, admins, or somebody's e-mail; {whose!r} {error}.") from None


@contextmanager
def _named(source: str) -> Iterator[None]:
    """Say of each mistake where it is."""
    try:
        yield
    except BadInput as bad:
        raise NotImported("\n".join(f"{source}: {mistake}" for mistake in bad.mistakes)) from None


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        raw = opened.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise BadInput(f"the file is longer than {MOST_BYTES:,} bytes.")
    return raw


async def _project(db: Database, slug: str) -> UUID:
    async with db.unscoped() as session:
        row = (await session.execute(_FIND_PROJECT, {"slug": slug})).one_or_none()
    if row is None or row.project_id == PLATFORM_ID:
        raise NotImported(f"There is no project {slug!r}; --project is its slug.")
    if row.status == "cancelled":
        raise NotImported(f"The project {slug} is cancelled.")
    return UUID(str(row.project_id))


async def _undone(work: Work, import_id: UUID) -> list[str]:
    row = await find_import(work.session, import_id)
    if row is None:
        raise NotImported("There is no such import; each can be put back for 30 days.")
    try:
        return await roll_back(work, row)
    except ChangedSince as since:
        lines = [f"{what} since the import." for what in since.what]
        raise NotImported("\n".join([*lines, "So nothing was put back; change these connections by hand."])) from None
    except Unreadable as error:
        raise NotImported(f"What was kept does not open under this master key: {error}.") from None


@asynccontextmanager
async def _database(installation: Installation) -> AsyncIterator[Database]:
    """The application's login: whatever goes wrong, one project at a time is in reach."""
    prefix = installation.settings.db_role_prefix
    db = Database(installation.app_url, ordinary=1, hot=0, statement_seconds=10, role_prefix=prefix)
    await db.start()
    try:
        yield db
    finally:
        await db.close()
