"""The databases, opened as the daemon does it, to read."""

import sqlite3
from collections.abc import Iterator

from smfd.config.schema import Config
from smfd.ctl.probe import Report, error, ok, warning
from smfd.store.directory_schema import reader
from smfd.store.ledger_schema import open_reader


def probe_databases(config: Config) -> Iterator[Report]:
    """They can be read, and some domain is hosted."""
    yield _directory(config)
    yield from _ledger(config)


def _directory(config: Config) -> Report:
    path = config.home / "directory.db"
    if not path.exists():
        return error("directory", f"{path} is missing. Restore it from a backup.")
    try:
        directory = reader(path)
        try:
            (domains,) = directory.execute("SELECT count(*) FROM domains").fetchone()
            (users,) = directory.execute("SELECT count(*) FROM accounts").fetchone()
        finally:
            directory.close()
    except sqlite3.Error as failure:
        return error("directory", f"{path}: {failure}. Restore it from a backup.")
    if not domains:
        return warning(
            "directory", "No domain is hosted: all mail is refused. Say: domain add."
        )
    return ok("directory", f"domains: {domains}, mailboxes: {users}")


def _ledger(config: Config) -> Iterator[Report]:
    path = config.home / "ledger.db"
    if not path.exists():
        # The first start makes it.
        return
    try:
        ledger = open_reader(path)
        try:
            (waiting,) = ledger.execute("SELECT count(*) FROM entries").fetchone()
        finally:
            ledger.close()
    except sqlite3.Error as failure:
        yield error("ledger", f"{path}: {failure}. Restore it from a backup.")
    else:
        yield ok("ledger", f"messages under way: {waiting}")
