"""The version of Tocsin before this one: that before the newest migration, out of the history beside the code."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines import temporary_folder

HERE = Path(__file__).parents[1]


class NoHistory(Exception):
    """There is no history here, or it does not reach back far enough."""


@contextmanager
def version_before() -> Iterator[Path]:
    """A folder with its ``src``, as long as one is inside. Raises NoHistory."""
    archive = subprocess.run(["git", "-C", str(HERE), "archive", _commit(), "src"], capture_output=True, check=False)
    if archive.returncode:
        raise NoHistory("The history does not reach back to the version before.")
    with temporary_folder() as folder:
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
        yield folder


def _commit() -> str:
    """The one before the newest migration came; the present one while that is not committed."""
    newest = max((HERE / "migrations" / "versions").glob("[0-9]*.py"))
    try:
        came = _git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(newest))
        return f"{came}^" if came else _git("rev-parse", "HEAD")
    except (FileNotFoundError, subprocess.CalledProcessError):
        raise NoHistory("There is no history to take the version before from.") from None


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", "-C", str(HERE), *arguments], capture_output=True, check=True)
    return answer.stdout.decode().strip()
