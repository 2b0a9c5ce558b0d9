"""
Domains, accounts and the audit of those who change them.

Truth, in C{directory.db} (SQLite, WAL).  One thread writes, a few read; what
the front door asks for is remembered until it changes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Concatenate, ParamSpec, TypeVar, Unpack

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from smfd.model.directory import Account, Act, Alias, Domain, Known
from smfd.store import (
    directory_aliases,
    directory_known,
    directory_pages,
    directory_rows,
)
from smfd.store import directory_schema as schema
from smfd.store.acts import ANY, Asked, directory_acts
from smfd.store.database import Database
from smfd.store.directory_cache import Cache
from smfd.store.directory_pages import Page
from smfd.store.directory_rows import Changes, Doing
from smfd.store.directory_touched import watched

P = ParamSpec("P")
T = TypeVar("T")


class Directory(Service):
    """
    Answers at once what it was asked before, and never what is no longer so.

    Every method fires with its value, or fails with
    L{Refused <smfd.model.directory.Refused>}, which has a sentence for people,
    and changed nothing.

    @param path: C{directory.db}; made when there is none.
    @param reactor: its time is the time of acts and of expiry.
    @param readers: threads that read.
    @param cached: how many domains, how many accounts and how many unknown
        addresses are remembered.
    @param delimiter: what the tag in C{user+tag@} begins with; "": no tags.
    """

    name = "directory"

    def __init__(
        self,
        path: Path,
        reactor: Any,
        readers: int = 2,
        cached: int = 20_000,
        delimiter: str = "+",
    ) -> None:
        self._path = path
        self._reactor = reactor
        self._delimiter = delimiter
        self._writer = Database(partial(schema.writer, path), reactor, 1, "dir-write")
        self._reader = Database(
            partial(schema.reader, path), reactor, readers, "dir-read"
        )
        self._caches: list[tuple[Cache[Any], frozenset[str]]] = []
        known = directory_known.TABLES
        self._domains: Cache[Domain | None] = self.cache(cached, "domains")
        self._addresses: Cache[Known | None] = self.cache(cached, *known)
        # Apart, so that guessed addresses do not drive out real ones.
        self._guesses: Cache[Known | None] = self.cache(cached, *known)

    def startService(self) -> None:
        """Open the file, or raise what is wrong with it."""
        schema.writer(self._path).close()
        self._writer.start()
        self._reader.start()
        super().startService()

    def stopService(self) -> None:
        """Finish what was asked."""
        super().stopService()
        self._reader.stop()
        self._writer.stop()

    # What the front door asks.

    def domain(self, name: str) -> Deferred[Domain | None]:
        """The hosted domain of that name (A-labels), or None."""
        key = name.lower()
        return self.recall(self._domains, key, directory_rows.domain)

    def is_hosted(self, name: str) -> Deferred[bool]:
        """Whether a domain is ours."""
        found = self._domains.get(name.lower())
        if found is not None:
            return succeed(found[0] is not None)
        return self.domain(name).addCallback(lambda domain: domain is not None)

    def known(self, address: str) -> Deferred[Known | None]:
        """
        Who takes mail for an address, or None.

        Upper and lower case are one; C{user+tag@} is taken by C{user@}.
        """
        found = self.remembered(address)
        if found is not None:
            return succeed(found[0])
        key = address.lower()
        age = self._addresses.age

        def keep(known: Known | None) -> Known | None:
            held = known is not None and known.held
            cache = self._addresses if held else self._guesses
            cache.keep(key, known, age)
            return known

        d = self.ask(directory_known.known, key, self._delimiter)
        return d.addCallback(keep)

    def remembered(self, address: str) -> tuple[Known | None] | None:
        """What L{known} would say, in a tuple; None when it would have to ask."""
        key = address.lower()
        found = self._addresses.get(key) or self._guesses.get(key)
        # Nobody is at a domain that is not ours.
        return found or self._foreign(key.rpartition("@")[2])

    def _foreign(self, domain: str) -> tuple[None] | None:
        """The same of a domain: what is known of those not ours."""
        return (None,) if self._domains.get(domain) == (None,) else None

    def account(self, address: str) -> Deferred[Account | None]:
        """The mailbox we hold for an address, or None."""
        return self.known(address).addCallback(
            lambda found: found.account if found else None
        )

    # What people look at, a page at a time.

    def domains(
        self, search: str = "", limit: int = 100, offset: int = 0
    ) -> Deferred[Page[Domain]]:
        """Hosted domains, by name."""
        return self.ask(directory_pages.domains, search, limit, offset)

    def accounts(
        self, domain: str = "", search: str = "", limit: int = 100, offset: int = 0
    ) -> Deferred[Page[Account]]:
        """Mailboxes of a domain or of all, by address."""
        return self.ask(directory_pages.accounts, domain.lower(), search, limit, offset)

    def aliases(
        self,
        forward: bool,
        domain: str = "",
        search: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Deferred[Page[Alias]]:
        """Aliases, or the forwards of mailboxes, by address."""
        return self.ask(
            directory_pages.aliases, forward, domain.lower(), search, limit, offset
        )

    def recipients(
        self, domain: str = "", search: str = "", limit: int = 100, offset: int = 0
    ) -> Deferred[Page[str]]:
        """Listed addresses of domains that are verified so."""
        return self.ask(
            directory_pages.recipients, domain.lower(), search, limit, offset
        )

    def risky(self, limit: int = 10) -> Deferred[Page[Domain]]:
        """Domains whose settings put something at risk."""
        return self.ask(directory_pages.risky, limit)

    def acts(
        self, subject: str = "", asked: Asked = ANY, most: int = 100
    ) -> Deferred[Page[Act]]:
        """Who changed what, the newest first; of one subject, if it is named."""
        return self.ask(directory_acts, asked.of(subject), most)

    # What people change.

    def add_domain(
        self, name: str, *, actor: str, **changes: Unpack[Changes]
    ) -> Deferred[Domain]:
        """Host a domain; postmaster@ it has a mailbox from then on."""
        return self.act(actor, directory_rows.add_domain, name, **changes)

    def set_domain(
        self,
        name: str,
        *,
        actor: str,
        **changes: Unpack[Changes],
    ) -> Deferred[Domain]:
        """Change what is named; a threshold of None is that of the settings."""
        return self.act(actor, directory_rows.set_domain, name, **changes)

    def remove_domain(
        self, name: str, force: bool = False, *, actor: str
    ) -> Deferred[Domain]:
        """Host it no longer; refused while it has users, unless forced."""
        return self.act(actor, directory_rows.remove_domain, name, force)

    def add_account(
        self, address: str, password: str = "", *, actor: str
    ) -> Deferred[Account]:
        """Make a mailbox; C{password} is a hash, or "" for no log in."""
        return self.act(actor, directory_rows.add_account, address, password)

    def remove_account(self, address: str, *, actor: str) -> Deferred[Account]:
        """Take no more mail for an address; its mail stays on the disk."""
        return self.act(actor, directory_rows.remove_account, address)

    def set_password(
        self, address: str, password: str, revoke: bool = False, *, actor: str
    ) -> Deferred[Account]:
        """Replace the hash of a mailbox; C{revoke} ends its app passwords too."""
        return self.act(actor, directory_rows.set_password, address, password, revoke)

    def put_alias(
        self, address: str, targets: Sequence[str], *, actor: str
    ) -> Deferred[Alias]:
        """Make an address stand for others; again, it stands for these."""
        return self.act(actor, directory_aliases.put_alias, address, targets)

    def put_forward(
        self, address: str, targets: Sequence[str], keep: bool, *, actor: str
    ) -> Deferred[Alias]:
        """Send a mailbox's mail elsewhere; C{keep} leaves a copy."""
        return self.act(actor, directory_aliases.put_forward, address, targets, keep)

    def remove_alias(
        self, address: str, forward: bool, *, actor: str
    ) -> Deferred[Alias]:
        """It leads nowhere any more; fires with what it was."""
        return self.act(actor, directory_aliases.remove_alias, address, forward)

    def list_recipients(
        self, addresses: Sequence[str], *, actor: str
    ) -> Deferred[tuple[str, ...]]:
        """Addresses that exist in domains that are verified by list."""
        return self.act(actor, directory_aliases.list_recipients, addresses)

    def unlist_recipient(self, address: str, *, actor: str) -> Deferred[str]:
        """It exists no more."""
        return self.act(actor, directory_aliases.unlist_recipient, address)

    # What others read and change there, for nouns of their own.

    def ask(
        self,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        """Read something with a function of one of the rooms beside this one."""
        return self._reader.run(function, *args, **kwargs)

    def cache(self, limit: int, *tables: str) -> Cache[Any]:
        """
        One more thing to remember.

        @param tables: what it is read from; it is forgotten when one of them is
            written.  None: at each change.
        """
        made: Cache[Any] = Cache(limit)
        self._caches.append((made, frozenset(tables)))
        return made

    def recall(
        self,
        cache: Cache[T],
        key: str,
        read: Callable[[Connection, str], T],
        weight: Callable[[T], int] = lambda value: 1,
    ) -> Deferred[T]:
        """What is remembered, or what is read and remembered."""
        found = cache.get(key)
        if found is not None:
            return succeed(found[0])
        age = cache.age

        def keep(value: T) -> T:
            cache.keep(key, value, age, weight(value))
            return value

        return self.ask(read, key).addCallback(keep)

    def act(
        self,
        actor: str,
        function: Callable[Concatenate[Connection, Doing, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        """Change something, likewise; what was remembered of it is forgotten."""
        doing, touched = Doing(actor, self._reactor.seconds()), set[str]()
        d = self._writer.run(watched(function, touched), doing, *args, **kwargs)
        # Even a failed write may have reached the disk: forget in any case.
        return d.addBoth(self._forget, touched)

    def note(
        self,
        cache: Cache[Any],
        key: str,
        function: Callable[Concatenate[Connection, Doing, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Deferred[T]:
        """Change what that cache alone knows, under that key; nobody did it."""
        doing = Doing("", self._reactor.seconds())

        def forget(result: T) -> T:
            cache.drop(key)
            return result

        return self._writer.run(function, doing, *args, **kwargs).addBoth(forget)

    def _forget(self, result: T, touched: set[str]) -> T:
        for cache, tables in self._caches:
            if not tables or tables & touched:
                cache.drop()
        return result
