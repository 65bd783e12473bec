"""What a socket is told while the database is away."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from tocsin.kit.away import is_away
from tocsin.kit.errors import Unavailable


@contextmanager
def away_is_unavailable() -> Iterator[None]:
    """Raise ``Unavailable`` for a question that the database cannot answer at the moment."""
    try:
        yield
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if is_away(error):
            raise Unavailable("database_unavailable", "The database does not answer at the moment.") from error
        raise
