"""
The tables of a SQLite file of ours, and how a file of an older smfd gets them.

Its version stands in the file, in C{user_version}.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import field, frozen


class WrongVersion(Exception):
    """The file was made by a newer smfd, or is none of ours."""


@frozen
class Schema:
    """
    What a file has in it.

    @ivar tables: how a new file begins.
    @ivar steps: by version, what makes a file of it one of the next.
    @ivar first: the version that a new file begins as; it goes the way of all
        others.
    """

    tables: str
    steps: Mapping[int, str] = field(factory=dict)
    first: int = 1

    @property
    def version(self) -> int:
        """That of a file that we read and write."""
        return max(self.steps, default=self.first - 1) + 1

    def prepare(self, connection: sqlite3.Connection, path: Path) -> None:
        """
        Make a file one of our version, wholly or not at all.

        @param path: the file's, for people.
        @raise WrongVersion: it cannot be; nothing in it is changed.
        """
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == self.version:
            return
        if version > self.version:
            raise WrongVersion(
                f"{path} has version {version}, this smfd reads {self.version}: "
                "it was written by a newer one"
            )
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if version not in self.steps and (version or tables):
            raise WrongVersion(f"{path} is none of ours: it has version {version}")
        try:
            self._become(connection, "".join(self._scripts(version)))
        except sqlite3.OperationalError as error:
            raise WrongVersion(f"{path} cannot be taken over: {error}") from error

    def _scripts(self, version: int) -> Iterator[str]:
        if not version:
            yield self.tables
        for number in range(version or self.first, self.version):
            yield self.steps[number]

    def _become(self, connection: sqlite3.Connection, script: str) -> None:
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {script} PRAGMA user_version={self.version}; COMMIT;"
            )
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
