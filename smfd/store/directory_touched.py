"""Which tables a change writes: what is remembered of the others is still so."""

import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_WRITES = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}


def watched(
    function: Callable[Concatenate[sqlite3.Connection, P], T], touched: set[str]
) -> Callable[Concatenate[sqlite3.Connection, P], T]:
    """
    The same, and the names of the tables that it may have written.

    @param touched: gets them, those that triggers and foreign keys write too,
        also when it fails.
    """

    def note(action: int, table: str | None, *_: object) -> int:
        if action in _WRITES and table:
            touched.add(table)
        return sqlite3.SQLITE_OK

    @wraps(function)
    def called(
        connection: sqlite3.Connection, /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        # SQLite asks when it reads a statement, and a new authorizer makes it
        # read those again that it has read before.
        connection.set_authorizer(note)
        try:
            return function(connection, *args, **kwargs)
        finally:
            connection.set_authorizer(None)

    return called
