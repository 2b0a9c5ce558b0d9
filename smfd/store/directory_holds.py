"""
Accounts whose mail is held back (D5), in C{directory.db}.

From the hold on all that an account submits is accepted and kept: nothing is
lost, and nothing leaves.
"""

import sqlite3

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from smfd.model.directory import Refused
from smfd.model.quota import Hold
from smfd.store.directory import Directory
from smfd.store.directory_cache import Cache
from smfd.store.directory_pages import LONGEST, Page
from smfd.store.directory_rows import SMFD, Doing, mailbox, transaction

_LONGEST_REASON = 500

_ACCOUNTS = "SELECT account FROM holds ORDER BY account"


def hold(
    connection: sqlite3.Connection, doing: Doing, account: str, reason: str
) -> Hold:
    """Hold what an account sends; one that is held stays so, for its old reason."""
    name = mailbox(connection, account.lower()).address
    why = reason.strip()
    if not 0 < len(why) <= _LONGEST_REASON:
        raise Refused(
            "invalid", f"A reason has 1 to {_LONGEST_REASON} characters.", "Say why."
        )
    found = find(connection, name)
    if found is not None:
        return found
    with transaction(connection, doing, "user hold", name, why):
        connection.execute(
            "INSERT INTO holds VALUES (?,?,?,?)", (name, doing.now, doing.actor, why)
        )
    return Hold(name, doing.now, doing.actor, why)


def free(
    connection: sqlite3.Connection, doing: Doing, account: str, act: str, detail: str
) -> Hold | None:
    """Hold it no more, if it is held; the act is in the audit in any case."""
    name = mailbox(connection, account.lower()).address
    found = find(connection, name)
    with transaction(connection, doing, act, name, detail):
        connection.execute("DELETE FROM holds WHERE account=?", (name,))
    return found


def find(connection: sqlite3.Connection, account: str) -> Hold | None:
    """Why an account is held, if it is."""
    row = connection.execute(
        "SELECT account, since, actor, reason FROM holds WHERE account=?", (account,)
    ).fetchone()
    return Hold(*row) if row else None


def page(
    connection: sqlite3.Connection, search: str, limit: int, offset: int
) -> Page[Hold]:
    """Held accounts, the latest first."""
    (total,) = connection.execute(
        "SELECT count(*) FROM holds WHERE instr(account, ?)", (search.lower(),)
    ).fetchone()
    rows = connection.execute(
        "SELECT account, since, actor, reason FROM holds WHERE instr(account, ?)"
        " ORDER BY since DESC, account LIMIT ? OFFSET ?",
        (search.lower(), max(0, min(limit, LONGEST)), max(0, offset)),
    )
    return Page(tuple(Hold(*row) for row in rows), total)


def accounts(connection: sqlite3.Connection) -> tuple[str, ...]:
    """All that are held."""
    return tuple(account for (account,) in connection.execute(_ACCOUNTS))


@frozen
class Holds:
    """
    Who is held.

    @ivar cached: accounts of whom it is remembered.
    """

    directory: Directory
    cached: Cache[Hold | None]

    _log = Logger()

    @classmethod
    def of(cls, directory: Directory, cached: int = 20_000) -> "Holds":
        """Those of a directory."""
        return cls(directory, directory.cache(cached, "holds"))

    def held(self, account: str) -> Deferred[Hold | None]:
        """The hold of an account, or None."""
        return self.directory.recall(self.cached, account.lower(), find)

    def hold(self, account: str, reason: str, actor: str = SMFD) -> Deferred[Hold]:
        """Hold what an account sends from now on; an alarm, and an act."""
        d = self.directory.act(actor, hold, account, reason)
        return d.addCallback(self._alarm)

    def free(
        self, account: str, act: str, detail: str, *, actor: str
    ) -> Deferred[Hold | None]:
        """Hold it no more; fires with what was, or None."""
        return self.directory.act(actor, free, account, act, detail)

    def page(
        self, search: str = "", limit: int = 100, offset: int = 0
    ) -> Deferred[Page[Hold]]:
        """Held accounts, the latest first."""
        return self.directory.ask(page, search, limit, offset)

    def accounts(self) -> Deferred[tuple[str, ...]]:
        """All that are held."""
        return self.directory.ask(accounts)

    def _alarm(self, made: Hold) -> Hold:
        self._log.warn(
            "ALARM: all mail of {account} is held: {why}",
            account=made.account,
            why=made.reason,
        )
        return made
