"""The ledger's queue: what is due, by where it goes, and who holds it back."""

from collections.abc import Callable, Collection, Iterable, Sequence
from sqlite3 import Connection
from typing import Any

from twisted.internet.defer import Deferred

from smfd.model.entry import Consignment, Key
from smfd.model.queue import EVERY, Changed, Choice, Found, Old, Owed, SiteState
from smfd.store import ledger_age as age
from smfd.store import ledger_queue as acts
from smfd.store import ledger_sites as rows
from smfd.store.ids import new_id
from smfd.store.ledger import Ledger
from smfd.store.ledger_due import Mark, Window, near_page, put_off_page
from smfd.store.ledger_due import next_try as next_near
from smfd.store.ledger_jobs import Sheet
from smfd.store.ledger_queue import Change
from smfd.store.ledger_sites import Share


class Queue:
    """
    What the runner and operators ask of the ledger's queue.

    @ivar changed: called with the sites whose mail an operator touched.
    @ivar known: how a site is just now, which only whoever brings mail there
        may know; None: as the ledger has it.
    @ivar routes: by site, where its mail goes instead of to its own servers.
    @ivar held: the sites whose mail is held back; with C{"*"} it is all.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.changed: Callable[[Collection[str]], object] = len
        self.known: Callable[[str], SiteState | None] = lambda site: None
        self.routes: dict[str, str] = {}
        self.held: set[str] = set()

    def route_of(self, site: str) -> str:
        """Where an operator sends a site's mail, as he wrote it; or ""."""
        return self.routes.get(site, "")

    def load(self) -> "Deferred[None]":
        """Read what operators said of sites; to be called once, at the start."""

        def ask(connection: Connection, sheet: Sheet) -> list[SiteState]:
            return rows.told(connection)

        return self._ledger.ask(ask).addCallback(self._told)

    def near(
        self, after: Key, limit: int
    ) -> "Deferred[tuple[list[Consignment], Key | None]]":
        """A page of what stays with us; see L{near_page}."""
        window = Window(after, limit)

        def ask(
            connection: Connection, sheet: Sheet
        ) -> tuple[list[Consignment], Key | None]:
            return near_page(connection, sheet.home, sheet.now, window)

        return self._ledger.ask(ask)

    def put_off(
        self, after: Mark, limit: int
    ) -> "Deferred[tuple[list[Consignment], Mark | None]]":
        """A page of that of it that is to be tried again; see L{put_off_page}."""

        def ask(
            connection: Connection, sheet: Sheet
        ) -> tuple[list[Consignment], Mark | None]:
            return put_off_page(connection, sheet.home, sheet.now, after, limit)

        return self._ledger.ask(ask)

    def next_near(self, since: float) -> "Deferred[float | None]":
        """When the first of it that is put off beyond a time wants to be tried."""
        return self._ledger.ask(lambda connection, _: next_near(connection, since))

    def owed(self, after: str = "", limit: int = 500) -> "Deferred[list[Owed]]":
        """The sites that something is due to, by name, behind one."""
        return self._ledger.ask(
            lambda connection, _: rows.owed(connection, after, limit)
        )

    def due_of(self, share: Share) -> "Deferred[Found]":
        """What is due to a site now."""

        def ask(connection: Connection, sheet: Sheet) -> Found:
            return rows.due_of(connection, sheet.home, sheet.now, share)

        return self._ledger.ask(ask)

    def warn(self, after: str, before: float) -> "Deferred[str]":
        """
        Take note that senders are to hear of what is older than a time.

        @param after: the entry to begin behind.
        @return: the one to go on behind; "" at the end.
        """

        def ask(connection: Connection, sheet: Sheet) -> tuple[int, str]:
            return age.warn(connection, after, new_id(before), sheet.now)

        def done(found: tuple[int, str]) -> str:
            if found[0]:
                self._ledger.noticed()
            return found[1]

        return self._ledger.ask(ask).addCallback(done)

    def old(
        self, after: str, before: float, bounces: bool = False
    ) -> "Deferred[tuple[list[Old], str]]":
        """A slice of what is older than a time; see L{age.old}."""

        def ask(connection: Connection, _: Sheet) -> tuple[list[Old], str]:
            return age.old(connection, after, new_id(before), bounces)

        return self._ledger.ask(ask)

    def states(self, sites: Iterable[str]) -> "Deferred[list[SiteState]]":
        """What is known of sites."""
        return self._ledger.ask(lambda connection, _: rows.states(connection, sites))

    def note(self, state: SiteState) -> "Deferred[None]":
        """Keep how a site is, soon; what operators said of it stays."""

        def ask(connection: Connection, _: Sheet) -> None:
            rows.note_site(connection, state)

        return self._ledger.ask(ask, soon=True)

    def hold_sites(self, sites: Collection[str], held: bool) -> "Deferred[None]":
        """
        Hold the mail of sites back, or let it go again.

        @param sites: their domains; C{"*"} is every site.
        """

        def ask(connection: Connection, _: Sheet) -> None:
            for site in sites:
                rows.hold_site(connection, site, held)

        def done(_: None) -> None:
            (self.held.update if held else self.held.difference_update)(sites)
            self.changed(sites)

        return self._ledger.ask(ask).addCallback(done)

    def reroute(self, site: str, to: str) -> "Deferred[None]":
        """
        Send a site's mail elsewhere from now on.

        @param to: the next hop as it is written; "" ends it.
        """

        def done(_: None) -> None:
            if to:
                self.routes[site] = to
            else:
                self.routes.pop(site, None)
            self.changed([site])

        d = self._ledger.ask(
            lambda connection, _: rows.route_site(connection, site, to)
        )
        return d.addCallback(done)

    def stop(self, account: str, actor: str) -> "Deferred[Changed]":
        """
        Suspend what an account sent until now.

        What of it is still being taken in was judged before anybody knew: it is
        suspended as it comes, unless the account is resumed before.
        """
        self._ledger.stops.stop(account)
        return self.suspend(Choice(account=account), actor)

    def suspend(self, choice: Choice, actor: str) -> "Deferred[Changed]":
        """They are not tried until they are resumed, and do not grow too old."""
        return self._change(choice, acts.SUSPEND, actor)

    def resume(self, choice: Choice, actor: str) -> "Deferred[Changed]":
        """What was suspended is tried at once; if it is an account's, see L{stop}."""
        self._ledger.stops.free(choice.account)
        return self._change(choice, acts.RESUME, actor)

    def retry(self, choice: Choice, actor: str) -> "Deferred[Changed]":
        """
        What is put off is tried at once, and so are the servers of its sites.

        @return: who was put off himself; the sites are those that were chosen.
        """
        return Deferred.fromCoroutine(self._retry(choice, actor))

    def fail(self, choice: Choice, why: str, actor: str) -> "Deferred[Changed]":
        """They are given up; their senders are told why."""
        return self._change(choice, acts.FAIL, actor, why)

    def drop(self, choice: Choice, actor: str) -> "Deferred[Changed]":
        """They are gone, and nobody is told."""
        return self._change(choice, acts.DROP, actor)

    def _change(
        self,
        choice: Choice,
        change: Change,
        actor: str,
        why: str = "",
    ) -> "Deferred[Changed]":
        work = self._slices(choice, change, {"actor": actor, "why": why})
        return Deferred.fromCoroutine(work)

    async def _slices(
        self, choice: Choice, change: Change, values: dict[str, Any], tell: bool = True
    ) -> Changed:
        count, sites = 0, set[str]()
        after: Key | None = ("", 0)
        while after is not None:
            touched, after = await self._ledger.ask(
                _slice(choice, change, after, values)
            )
            count += len(touched)
            sites.update(touched)
            if tell and touched:
                self.changed(set(touched))
        if change.notice and count:
            self._ledger.noticed()
        return Changed(count, frozenset(sites - {""}))

    async def _retry(self, choice: Choice, actor: str) -> Changed:
        values = {"actor": actor, "why": ""}
        changed = await self._slices(choice, acts.RETRY, values, tell=False)
        sites = changed.sites | await self._sites(choice)

        def ask(connection: Connection, _: Sheet) -> None:
            rows.try_sites(connection, sites)

        await self._ledger.ask(ask)
        self.changed(sites)
        return Changed(changed.count, sites)

    async def _sites(self, choice: Choice) -> frozenset[str]:
        """Those that are chosen, as far as it matters."""
        if choice.site:
            return frozenset([choice.site])
        if choice == Choice():
            down = self._ledger.ask(lambda connection, _: rows.down_sites(connection))
            return frozenset(await down)
        found, after = set[str](), ""
        while True:
            sites, after = await self._ledger.ask(_sites_behind(choice, after))
            found.update(sites)
            if not after:
                return frozenset(found)

    def _told(self, states: Sequence[SiteState]) -> None:
        self.routes = {state.site: state.route for state in states if state.route}
        self.held = {state.site for state in states if state.held}

    def holds(self, site: str) -> bool:
        """Whether somebody holds a site's mail back."""
        return bool(self.held) and (site in self.held or EVERY in self.held)


def _slice(
    choice: Choice, change: Change, after: Key, values: dict[str, Any]
) -> Callable[[Connection, Sheet], tuple[list[str], Key | None]]:
    """A slice of the chosen is changed; their sites, and where to go on."""

    def ask(connection: Connection, sheet: Sheet) -> tuple[list[str], Key | None]:
        keys, behind = acts.chosen(connection, choice, change, after)
        given = values | {"now": sheet.now}
        sites = acts.apply(connection, change, keys, given)
        if change.ends:
            sheet.clear(connection, dict.fromkeys(entry for entry, _ in keys))
        return sites, behind

    return ask


def _sites_behind(
    choice: Choice, after: str
) -> Callable[[Connection, Sheet], tuple[list[str], str]]:
    return lambda connection, _: acts.sites_of(connection, choice, after)
