"""Whether a failure is the database's absence, and so no fault of the work at hand."""

import asyncio

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# The database is away, restarting, full, or too busy to take one more: the caller should come back.
_AWAY = ("08", "53", "57", "55P03", "40001", "40P01", "25006")


def is_away(error: BaseException) -> bool:
    """Whether a failure says that the database cannot be reached or cannot take the work now."""
    if isinstance(error, PoolTimeout | asyncio.TimeoutError | ConnectionError | InterfaceError):
        return True
    cause = error
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig is not None and error.orig.__cause__ is not None else error
    # What asyncpg says when a connection ends at the wrong moment ("cannot switch to state ...").
    if isinstance(cause, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return True
    if isinstance(cause, asyncpg.PostgresError):
        return (cause.sqlstate or "").startswith(_AWAY)
    return isinstance(cause, OperationalError | ConnectionError | OSError)
