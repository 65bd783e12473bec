"""`tocsin audit verify` with its progress bar."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tocsin.audit.anchor import Anchor, Written, anchors_file
from tocsin.audit.verify import Report, count, verify
from tocsin.kit.db import plain_url
from tocsin.kit.roles import as_owner_of_tables
from tocsin.startup import Installation, NotConfigured


async def look(installation: Installation, slug: str | None, file: Path | None) -> Report:
    """Walk the chain of a project, or of all, and hold them against the anchors. Raises NotConfigured."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    url = plain_url(installation.installer_url)
    async with as_owner_of_tables(url, installation.roles) as owner:
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("entries", total=await count(owner, slug) or None)
            try:
                return await verify(owner, slug, _anchors(installation, file), lambda more: bar.advance(task, more))
            except KeyError as unknown:
                raise NotConfigured(f"There is no project {unknown.args[0]!r}.") from unknown


def _anchors(installation: Installation, file: Path | None) -> Iterable[Anchor]:
    """Those of the file that was named, else those that this machine's workers wrote, else none."""
    file = file or anchors_file(installation.settings.home)
    return Written(file) if file.exists() else ()
