"""`tocsin import`: what a single-tenant installation had, into a project of this one, and back out."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from tocsin.imports.bring_in import bring_in
from tocsin.imports.env_file import read_env_file
from tocsin.imports.export import read_export
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


async def import_env(
    installation: Installation,
    file: Path | None,
    environment: Mapping[str, str],
    slug: str,
    whose: str,
    *,
    dry_run: bool,
) -> Report:
    """The variables of a file, else of the environment, for ``project``, ``admins`` or the person of an e-mail."""
    wanted = _whose(whose)
    with _named(str(file) if file else "the environment"):
        accounts, left_out = read_variables(read_env_file(_content(file)) if file else environment)
    parts = (Part(wanted, accounts),)
    return await _import(installation, slug, "env", parts, left_out, must_be_there=wanted, dry_run=dry_run)


async def import_export(installation: Installation, file: Path, slug: str, *, dry_run: bool) -> Report:
    """An export, for the project and the people that it names."""
    with _named(str(file)):
        parts, left_out = read_export(_content(file))
    return await _import(installation, slug, "export", parts, left_out, dry_run=dry_run)


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


async def _import(
    installation: Installation,
    slug: str,
    source: Source,
    parts: Sequence[Part],
    left_out: list[str],
    *,
    must_be_there: str = "project",
    dry_run: bool,
) -> Report:
    async with _database(installation) as db:
        project_id = await _project(db, slug)
        async with db.scope(project_id, "live") as session:
            try:
                await holders_of(session, must_be_there)
            except NobodyThere as nobody:
                raise NotImported(f"{slug}: {nobody}.") from None
            work = Work(session, Vault(installation.master), project_id, f"tocsin import {source}")
            report = await bring_in(work, slug, source, parts, left_out)
            if dry_run:
                # Everything was done, limits and all, so the report is exact; none of it stays.
                await session.rollback()
                return report.of_dry_run()
    return report


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
