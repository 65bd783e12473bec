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


def with_logins(installation: Installation, *, platform: bool = False) -> Installation:
    """The installation settled on the logins that work, seen before anything is served.

    ``platform`` wants the login that reads across projects too. Raises DatabaseRefuses, StrongLogin.
    """
    app = _working(installation, installation.app_urls, "application", "TOCSIN_APP_DATABASE_URL")
    settled = installation.settled(app_database_url=app)
    if not platform:
        return settled
    across = _working(settled, settled.platform_urls, "platform", "TOCSIN_PLATFORM_DATABASE_URL")
    return settled.settled(platform_database_url=across)


def _working(installation: Installation, urls: list[str], whose: str, setting: str) -> str:
    """The first that the database takes: while the master key rotates, `migrate` decides which password counts."""
    *spare, last = urls
    for url in spare:
        try:
            asyncio.run(_try(installation, url, whose))
            return url
        except asyncpg.InvalidAuthorizationSpecificationError:
            continue
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            break  # what is wrong is no password, and is told of the last one too
    _check(installation, last, whose, setting)
    return last


async def _try(installation: Installation, url: str, whose: str) -> None:
    db = Database(
        url,
        ordinary=0,
        hot=0,
        statement_timeout="5s",
        role_prefix=installation.settings.db_role_prefix,
        read_only=whose == "platform",
    )
    try:
        await db.start()
    finally:
        await db.close()


def _check(installation: Installation, url: str, whose: str, setting: str) -> None:
    place = _place(url)
    try:
        asyncio.run(_try(installation, url, whose))
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise DatabaseRefuses(
            f"The database at {place} refuses the login: {_first_line(error)}.\n"
            f"`tocsin migrate` makes the {whose}'s login; it must run with the same TOCSIN_MASTER_KEY, from"
            f" which the password is derived. Or name a login in {setting}."
        ) from error
    except asyncpg.PostgresError as error:
        raise DatabaseRefuses(f"The database at {place} refuses: {_first_line(error)}.") from error
    except (OSError, asyncpg.InterfaceError) as error:
        raise DatabaseRefuses(
            f"The database at {place} does not answer: {_reason(error)}.\n"
            f"Start it, or correct TOCSIN_DATABASE_URL ({setting} where only that is set)."
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
