"""All that C{directory.db} has of one user, in one reading."""

import sqlite3

from attrs import frozen

from smfd.model.grant import Identity
from smfd.store.directory_grants import identities
from smfd.store.directory_groups import groups_of
from smfd.store.directory_known import alias
from smfd.store.directory_passwords import credentials

#: The most names of one kind.
MOST = 100

# Without an index: those of his own domain only.
_SHARED = """
SELECT address FROM aliases WHERE domain=?2 AND NOT forward AND instr(targets, ' ')
    AND instr(' ' || targets || ' ', ' ' || ?1 || ' ') ORDER BY address LIMIT ?3
"""


@frozen
class Portrait:
    """
    A user; of each kind the first L{MOST}.

    @ivar identities: what he may write as, and why.
    @ivar shared: aliases of his domain that lead to him and to others.
    @ivar forwards: where his mail goes instead, or besides.
    @ivar app_passwords: their names.
    """

    identities: tuple[Identity, ...]
    shared: tuple[str, ...]
    forwards: tuple[str, ...]
    groups: tuple[str, ...]
    app_passwords: tuple[str, ...]

    def because(self, why: str) -> list[str]:
        """The addresses that he may write as for one reason."""
        return [one.address for one in self.identities if one.why == why][:MOST]


def portrait(connection: sqlite3.Connection, account: str) -> Portrait:
    """Of a user, by his stored address."""
    domain = account.rpartition("@")[2]
    shared = connection.execute(_SHARED, (account, domain, MOST))
    leads = alias(connection, account)
    known = credentials(connection, account)
    return Portrait(
        identities(connection, account),
        tuple(address for (address,) in shared),
        leads.targets if leads else (),
        groups_of(connection, account)[:MOST],
        tuple(app.name for app in known.apps) if known else (),
    )
