"""`tocsin audit verify`: the chains of this installation, held against its anchors."""

from collections.abc import Iterable
from pathlib import Path

from tocsin.audit.anchor import Anchor, Written, anchors_file
from tocsin.audit.verify import Report, count, verify
from tocsin.kit.dsn import plain_url
from tocsin.kit.roles import as_owner_of_tables
from tocsin.progress import progress
from tocsin.startup import Installation, NotConfigured


async def look(installation: Installation, slug: str | None, file: Path | None) -> Report:
    """Walk the chain of a project, or of all. Raises NotConfigured for a project that there is not."""
    async with as_owner_of_tables(plain_url(installation.installer_url), installation.roles) as owner:
        with progress("entries", await count(owner, slug)) as seen:
            try:
                return await verify(owner, slug, _anchors(installation, file), seen)
            except KeyError as unknown:
                raise NotConfigured(f"There is no project {unknown.args[0]!r}.") from unknown


def _anchors(installation: Installation, file: Path | None) -> Iterable[Anchor]:
    """Those of the file that was named, else those that this machine's workers wrote, else none."""
    file = file or anchors_file(installation.settings.home)
    return Written(file) if file.exists() else ()
