"""The logins of an installation, tried before anything is served."""

import asyncio
from urllib.parse import urlsplit

import asyncpg

from tocsin.failures import first_line, reason
from tocsin.kit.db import Database
from tocsin.kit.expected import Expected
from tocsin.startup import Installation


class DatabaseRefuses(Expected):
    """The database does not take a login; the message says which and what to do."""


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
        statement_seconds=5,
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
            f"The database at {place} refuses the login: {first_line(error)}.\n"
            f"`tocsin migrate` makes the {whose}'s login; it must run with the same TOCSIN_MASTER_KEY, from"
            f" which the password is derived. Or name a login in {setting}."
        ) from error
    except asyncpg.PostgresError as error:
        raise DatabaseRefuses(f"The database at {place} refuses: {first_line(error)}.") from error
    except (OSError, asyncpg.InterfaceError) as error:
        raise DatabaseRefuses(
            f"The database at {place} does not answer: {reason(error)}.\n"
            f"Start it, or correct TOCSIN_DATABASE_URL ({setting} where only that is set)."
        ) from error


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}"
