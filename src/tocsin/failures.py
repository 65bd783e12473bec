"""Expected failures of commands, told in words with the way out instead of a trace."""

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from tocsin.audit.anchor import BadAnchors
from tocsin.kit.db import Database, StrongLogin
from tocsin.kit.postgres import CannotStart
from tocsin.rotation.master_key import NothingToRotate
from tocsin.startup import Installation, NotConfigured
from tocsin.up.child import NotUp
from tocsin.up.port import PortTaken


class Failed(Exception):
    """What an operator reads; the cause was expected and needs no trace."""


class DatabaseRefuses(RuntimeError):
    """The database does not take a login; the message says which and what to do."""


_TOLD = (NotConfigured, StrongLogin, CannotStart, PortTaken, NotUp, DatabaseRefuses, BadAnchors, NothingToRotate)


@contextmanager
def in_words() -> Iterator[None]:
    """Raise ``Failed`` with the words of an expected failure; what nobody expected keeps its trace."""
    try:
        yield
    except ValidationError as error:
        raise Failed(_settings(error)) from error
    except _TOLD as error:
        raise Failed(str(error)) from error
    except (asyncpg.PostgresError, DBAPIError) as error:
        raise Failed(f"The database refuses: {_first_line(error)}") from error
    except OSError as error:
        raise Failed(_system(error)) from error


def with_app_login(installation: Installation) -> Installation:
    """The installation with the application's login that works, seen before anything is served.

    Raises DatabaseRefuses, StrongLogin.
    """
    *spare, last = installation.app_urls
    for url in spare:
        try:
            asyncio.run(_try(installation, url))
            return installation.with_app_url(url)
        except asyncpg.InvalidAuthorizationSpecificationError:
            continue
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            break
    _check(installation, last)
    return installation.with_app_url(last)


async def _try(installation: Installation, url: str) -> None:
    prefix = installation.settings.db_role_prefix
    db = Database(url, ordinary=0, hot=0, statement_timeout="5s", role_prefix=prefix)
    try:
        await db.start()
    finally:
        await db.close()


def _check(installation: Installation, url: str) -> None:
    place = _place(url)
    try:
        asyncio.run(_try(installation, url))
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise DatabaseRefuses(
            f"The database at {place} refuses the login: {_first_line(error)}.\n"
            "`tocsin migrate` makes the application's login; it must run with the same TOCSIN_MASTER_KEY, from"
            " which the password is derived. Or name a login in TOCSIN_APP_DATABASE_URL."
        ) from error
    except asyncpg.PostgresError as error:
        raise DatabaseRefuses(f"The database at {place} refuses: {_first_line(error)}.") from error
    except (OSError, asyncpg.InterfaceError) as error:
        raise DatabaseRefuses(
            f"The database at {place} does not answer: {_reason(error)}.\n"
            "Start it, or correct TOCSIN_DATABASE_URL (TOCSIN_APP_DATABASE_URL where only that is set)."
        ) from error


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
    return f"The database does not answer: {_reason(error)}. Start it, or correct TOCSIN_DATABASE_URL."


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0].rstrip(".")


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}"
