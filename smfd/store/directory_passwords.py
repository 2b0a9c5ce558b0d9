"""What people log in with, in C{directory.db}."""

import sqlite3

from attrs import evolve
from twisted.internet.defer import Deferred

from smfd.model.credentials import AppPassword, Credentials
from smfd.model.directory import Refused
from smfd.store import directory_rules as rules
from smfd.store.directory import Directory
from smfd.store.directory_pages import Page
from smfd.store.directory_rows import Doing, mailbox, transaction

#: The most app passwords of one account.
MOST = 100

_COLUMNS = "id, account, name, services, networks, created, used, password"


class Keys:
    """
    What people log in with, as it is now.

    @param cached: how many accounts are remembered.
    """

    def __init__(self, directory: Directory, cached: int = 20_000) -> None:
        self._directory = directory
        self._cache = directory.cache(cached, "accounts", "app_passwords")

    def of(self, account: str) -> Deferred[Credentials | None]:
        """Those of an account, by its very address; None when there is none."""
        return self._directory.recall(
            self._cache, account, credentials, lambda found: 1 if found is None else 2
        )

    def is_ours(self, address: str) -> Deferred[bool]:
        """Whether an address is in a domain that is hosted here."""
        return self._directory.is_hosted(address.rpartition("@")[2])

    def renew(self, account: str, old: str, new: str) -> Deferred[bool]:
        """Replace a hash by one of today, if it is still the one."""
        return self._directory.act(account, renew, account, old, new)

    def used(self, app: AppPassword) -> Deferred[None]:
        """An app password was good today."""
        return self._directory.note(self._cache, app.account, used, app.id)

    def page(
        self, account: str, limit: int, offset: int
    ) -> Deferred[Page[AppPassword]]:
        """Some app passwords of an account, by name."""
        return self._directory.ask(page, account, limit, offset)

    def add(self, wanted: AppPassword, *, actor: str) -> Deferred[AppPassword]:
        """Add one; fires with it and its number."""
        return self._directory.act(actor, add, wanted)

    def remove(self, account: str, name: str, *, actor: str) -> Deferred[AppPassword]:
        """It is good for nothing from now on; C{name} may be its number."""
        return self._directory.act(actor, remove, account, name)


def credentials(connection: sqlite3.Connection, account: str) -> Credentials | None:
    """All that an account can log in with, by its stored address."""
    row = connection.execute(
        "SELECT address, password FROM accounts WHERE address=?", (account,)
    ).fetchone()
    if row is None:
        return None
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM app_passwords WHERE account=? ORDER BY name",
        (account,),
    )
    name, password = row
    return Credentials(name, password, tuple(_app(row) for row in rows))


def page(
    connection: sqlite3.Connection, account: str, limit: int, offset: int
) -> Page[AppPassword]:
    """Some of those of one account, which has never many."""
    found = credentials(
        connection, mailbox(connection, rules.address(account)[0]).address
    )
    apps = found.apps if found is not None else ()
    first = max(0, offset)
    return Page(apps[first : first + max(0, limit)], len(apps))


def add(
    connection: sqlite3.Connection, doing: Doing, wanted: AppPassword
) -> AppPassword:
    """Add one."""
    account = mailbox(connection, rules.address(wanted.account)[0]).address
    made = evolve(wanted, account=account, created=doing.now)
    with transaction(connection, doing, "app-password add", account, _said(made)):
        (held,) = connection.execute(
            "SELECT count(*) FROM app_passwords WHERE account=?", (account,)
        ).fetchone()
        if held >= MOST:
            raise Refused("conflict", f"{account} has {MOST} app passwords already.")
        try:
            number = connection.execute(
                "INSERT INTO app_passwords"
                " (account, name, password, services, networks, created)"
                " VALUES (?,?,?,?,?,?)",
                (
                    account,
                    made.name,
                    made.password,
                    " ".join(made.services),
                    " ".join(made.networks),
                    doing.now,
                ),
            ).lastrowid
        except sqlite3.IntegrityError:
            raise Refused(
                "conflict",
                f"{account} has an app password {made.name} already.",
                "Choose another name, or remove that one.",
            ) from None
    return evolve(made, id=number or 0)


def remove(
    connection: sqlite3.Connection, doing: Doing, account: str, name: str
) -> AppPassword:
    """Remove one, by its name or else its number."""
    of = mailbox(connection, rules.address(account)[0]).address
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM app_passwords"
        " WHERE account=?1 AND (name=?2 OR id=?3) ORDER BY name<>?2",
        (of, name, int(name) if name.isdecimal() and len(name) < 16 else -1),
    ).fetchone()
    if row is None:
        raise Refused(
            "unknown",
            f"{of} has no app password {name[:80]}.",
            "user app-password list names them.",
        )
    found = _app(row)
    with transaction(connection, doing, "app-password remove", of, _said(found)):
        connection.execute("DELETE FROM app_passwords WHERE id=?", (found.id,))
    return found


def renew(
    connection: sqlite3.Connection, doing: Doing, account: str, old: str, new: str
) -> bool:
    """Replace the hash of a mailbox, unless it was changed meanwhile."""
    with transaction(connection, doing, "user password", account, "hash renewed"):
        return bool(
            connection.execute(
                "UPDATE accounts SET password=? WHERE address=? AND password=?",
                (new, account, old),
            ).rowcount
        )


def used(connection: sqlite3.Connection, doing: Doing, number: int) -> None:
    """Note the day; that is no act of anybody."""
    connection.execute(
        "UPDATE app_passwords SET used=? WHERE id=?", (doing.now, number)
    )


def _said(app: AppPassword) -> str:
    words = [app.name, f"services={','.join(app.services)}"]
    return " ".join([*words, *(f"network={network}" for network in app.networks)])


def _app(row: tuple[int, str, str, str, str, float, float | None, str]) -> AppPassword:
    number, account, name, services, networks, created, day, password = row
    return AppPassword(
        number,
        account,
        name,
        tuple(services.split()),
        tuple(networks.split()),
        created,
        day,
        password,
    )
