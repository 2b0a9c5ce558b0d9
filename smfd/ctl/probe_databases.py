"""The databases, opened as the daemon does it, to read."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from smfd.config.schema import Config
from smfd.ctl.probe import Report, error, ok, warning
from smfd.model.directory import Domain
from smfd.policy.address_book import risks
from smfd.store.directory_pages import risky
from smfd.store.directory_schema import VERSION, reader
from smfd.store.ledger_schema import open_reader

#: Of so many domains what is at risk is told.
_MOST = 20


def probe_databases(config: Config) -> Iterator[Report]:
    """They can be read, and some domain is hosted."""
    yield from _directory(config)
    yield from _ledger(config)


def _shut(path: Path, failure: sqlite3.Error) -> str:
    """Why a database cannot be read, and what to do."""
    # A backup mends no disk that is read-only.
    broken = sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB
    if getattr(failure, "sqlite_errorcode", 0) & 0xFF in broken:
        return f"{path}: {failure}. Restore it from a backup."
    return f"{path}: {failure}. See that we can write there: owner, mode, disk."


def _directory(config: Config) -> Iterator[Report]:
    path = config.home / "directory.db"
    if not path.exists():
        yield error("directory", f"{path} is missing. Restore it from a backup.")
        return
    try:
        directory = reader(path)
        try:
            (domains,) = directory.execute("SELECT count(*) FROM domains").fetchone()
            (users,) = directory.execute("SELECT count(*) FROM accounts").fetchone()
            at_risk = _risky(directory)
        finally:
            directory.close()
    except sqlite3.Error as failure:
        yield error("directory", _shut(path, failure))
        return
    if not domains:
        yield warning(
            "directory", "No domain is hosted: all mail is refused. Say: domain add."
        )
        return
    yield ok("directory", f"domains: {domains}, mailboxes: {users}")
    for domain in at_risk:
        for sentence in risks(domain):
            yield warning("domain", sentence)


def _risky(directory: sqlite3.Connection) -> Sequence[Domain]:
    """Domains that put something at risk; a file of an older smfd has none."""
    (version,) = directory.execute("PRAGMA user_version").fetchone()
    return risky(directory, _MOST).items if version == VERSION else ()


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
        yield error("ledger", _shut(path, failure))
    else:
        yield ok("ledger", f"messages under way: {waiting}")
