"""Reading the ledger beside its writer, and never in its way."""

from pathlib import Path
from sqlite3 import Connection
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from smfd.model.directory import Act
from smfd.model.entry import Key
from smfd.model.queue import Choice
from smfd.store import reader_queue as queue
from smfd.store import reader_rows as rows
from smfd.store.acts import Asked, ledger_acts
from smfd.store.database import Database
from smfd.store.directory_pages import Page
from smfd.store.ledger import FILE
from smfd.store.ledger_schema import open_reader


class Reader(Service):
    """
    A few read-only connections in threads of their own.

    To be started after the L{Ledger <smfd.store.ledger.Ledger>}, which makes
    the file.  What was committed is seen.
    """

    def __init__(
        self, home: Path, reactor: IReactorFromThreads, threads: int = 2
    ) -> None:
        path = home / FILE

        def connect() -> Connection:
            return open_reader(path)

        self._database = Database(connect, reactor, threads, "ledger-reader")

    def startService(self) -> None:
        """Start the threads."""
        self._database.start()
        super().startService()

    def stopService(self) -> None:
        """Finish what was asked, then close."""
        super().stopService()
        self._database.stop()

    def record(self, record_id: str) -> "Deferred[dict[str, Any] | None]":
        """
        C{{"record", "recipients", "acts"}}, or None when it is not known.
        """
        return self._database.run(rows.record, record_id)

    def held(
        self,
        domain: str = "",
        recipient: str = "",
        words: str = "",
        category: str = "",
        account: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> "Deferred[dict[str, Any]]":
        """
        C{{"items": [...], "total": n}}, the newest first; the empty string
        asks for any.
        """
        query = rows.HeldQuery(
            domain, recipient, words, category, account, limit, offset
        )
        return self._database.run(rows.held, query)

    def held_item(self, item: str) -> "Deferred[dict[str, Any] | None]":
        """One item with its path, or None when nothing is held by that name."""
        return self._database.run(rows.held_item, item)

    def counts(self) -> "Deferred[dict[str, Any]]":
        """C{{"due", "suspended", "held", "corrupt", "records", "oldest_due"}}."""
        return self._database.run(rows.counts)

    def domains_held(self) -> "Deferred[dict[str, int]]":
        """How many items are held for each domain that has any."""
        return self._database.run(rows.domains_held)

    def acts(self, asked: Asked, most: int) -> "Deferred[Page[Act]]":
        """What people did to messages, the newest first."""
        return self._database.run(ledger_acts, asked, most)

    def queue_page(
        self, choice: Choice, after: Key = ("", 0), limit: int = 100
    ) -> "Deferred[list[dict[str, Any]]]":
        """Some of the queue; see L{queue_page <smfd.store.reader_queue.queue_page>}."""
        return self._database.run(queue.queue_page, choice, after, limit)

    def queue_count(self, choice: Choice, most: int) -> "Deferred[int]":
        """How many fit; see L{queue_count <smfd.store.reader_queue.queue_count>}."""
        return self._database.run(queue.queue_count, choice, most)

    def queue_shape(self, now: float, limit: int = 100) -> "Deferred[dict[str, Any]]":
        """Its shape; see L{queue_shape <smfd.store.reader_queue.queue_shape>}."""
        return self._database.run(queue.queue_shape, now, limit)
