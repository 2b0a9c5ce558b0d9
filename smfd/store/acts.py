"""What people did, read from where it was written down."""

import sqlite3

from attrs import evolve, frozen

from smfd.model.directory import Act
from smfd.store.directory_pages import Page, Where


@frozen
class Asked:
    """
    Which acts are wanted; "" and None ask for any.

    @ivar subject: what they were done to, whole.
    @ivar actor: who did them.
    @ivar until: none later than that, seconds since the epoch.
    """

    subject: str = ""
    actor: str = ""
    until: float | None = None

    def of(self, subject: str) -> "Asked":
        """The same of one subject; "" leaves it as it is."""
        return evolve(self, subject=subject or self.subject)


ANY = Asked()


def directory_acts(
    connection: sqlite3.Connection, asked: Asked, most: int
) -> Page[Act]:
    """Those done to the directory, the newest first."""
    return _page(connection, "id", asked, most)


def ledger_acts(connection: sqlite3.Connection, asked: Asked, most: int) -> Page[Act]:
    """Those done to messages, the newest first."""
    return _page(connection, "seq AS id", asked, most)


def _page(
    connection: sqlite3.Connection, key: str, asked: Asked, most: int
) -> Page[Act]:
    where = Where().equal("subject", asked.subject).equal("actor", asked.actor)
    if asked.until is not None:
        where.holding("time<=?").values.append(asked.until)
    columns = f"{key}, time, actor, act, subject, detail"
    rows, total = where.page(connection, "acts", columns, "time DESC, id DESC", most, 0)
    return Page(tuple(Act(*row) for row in rows), total)
