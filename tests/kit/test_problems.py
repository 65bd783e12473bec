"""Which failures say that the database is away, so that the caller should come back (503), and which are ours (500)."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, InternalError, ProgrammingError

from tocsin.kit.away import is_away

LOST = asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")
CLOSED = asyncpg.InterfaceError("connection is closed")
RESTARTING = asyncpg.CannotConnectNowError("the database system is starting up")
MISTAKE = asyncpg.UndefinedTableError("there is no such table")


def wrapped(kind: type[DBAPIError], cause: Exception) -> DBAPIError:
    """As it comes out of SQLAlchemy, whose adapter raises its own error from asyncpg's."""
    adapted = Exception(str(cause))
    adapted.__cause__ = cause
    return kind("SELECT 1", {}, adapted)


@pytest.mark.parametrize("error", [LOST, CLOSED, RESTARTING, ConnectionRefusedError()])
def test_a_database_that_is_away_is_known_bare_and_wrapped(error: Exception) -> None:
    assert is_away(error)
    assert is_away(wrapped(InternalError, error))


def test_a_mistake_of_ours_is_no_absence() -> None:
    assert not is_away(MISTAKE)
    assert not is_away(wrapped(ProgrammingError, MISTAKE))
