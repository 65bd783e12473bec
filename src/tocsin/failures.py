"""Expected failures of commands, told in words with the way out instead of a trace.

Every command imports this, `tocsin up` for as long as it lives: nothing large here.
"""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from pydantic import ValidationError

from tocsin.kit.expected import Expected


class Failed(Exception):
    """What an operator reads; the cause was expected and needs no trace."""


@contextmanager
def in_words() -> Iterator[None]:
    """Raise ``Failed`` with the words of an expected failure; what nobody expected keeps its trace."""
    try:
        yield
    except ValidationError as error:
        raise Failed(_settings(error)) from error
    except Expected as error:
        raise Failed(str(error)) from error
    except asyncpg.PostgresError as error:
        raise Failed(f"The database refuses: {first_line(error)}") from error
    except OSError as error:
        raise Failed(_system(error)) from error
    except Exception as error:
        if not _refused_by_a_database(error):
            raise
        raise Failed(f"The database refuses: {first_line(error)}") from error


def _refused_by_a_database(error: Exception) -> bool:
    """Whether SQLAlchemy passes on what its driver ran into; nobody ran into it who has not imported that."""
    sqlalchemy = sys.modules.get("sqlalchemy.exc")
    return sqlalchemy is not None and isinstance(error, sqlalchemy.DBAPIError)


def _settings(error: ValidationError) -> str:
    lines = ["The settings in the environment are not right:"]
    for mistake in error.errors(include_url=False, include_input=False):
        name = "_".join(str(part) for part in mistake["loc"][:1]).upper()
        lines.append(f"  TOCSIN_{name}: {mistake['msg']}")
    return "\n".join(lines)


def _system(error: OSError) -> str:
    if error.filename is not None:
        words = f"{error.filename}: {error.strerror}."
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            words += " Tocsin keeps its data below TOCSIN_HOME; give this user that folder, or choose another."
        return words
    return f"The database does not answer: {reason(error)}. Start it, or correct TOCSIN_DATABASE_URL."


def reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return first_line(error)


def first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0].rstrip(".")
