"""Tests of what C{directory.db} is remembered of: as much as is still so."""

import sqlite3
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from smfd.model.credentials import AppPassword
from smfd.model.directory import ListEntry
from smfd.model.quota import Allowance
from smfd.store import directory_grants
from smfd.store.directory import Directory
from smfd.store.directory_entries import Lists
from smfd.store.directory_grants import Grants
from smfd.store.directory_groups import Groups
from smfd.store.directory_holds import Holds
from smfd.store.directory_limits import Allowances
from smfd.store.directory_passwords import Keys
from smfd.store.directory_policies import Policies
from tests.store.test_directory import DirectoryTestCase

ANN = "ann@home.example"
BY: dict[str, Any] = {"actor": "uid:test"}
STAFF = "staff@home.example"


class TouchedTests(DirectoryTestCase):
    """A directory that is asked everything, and then changed."""

    async def open(self) -> None:
        """Everything of Ann is there."""
        self.directory = await self.build()
        self.keys, self.grants = Keys(self.directory), Grants(self.directory)
        self.groups, self.policies = Groups(self.directory), Policies(self.directory)
        self.holds = Holds.of(self.directory)
        self.allowances = Allowances.of(self.directory, Allowance())
        await self.groups.add(STAFF, [ANN], **BY)
        await self.directory.put_alias("info@home.example", [ANN], **BY)
        await self.directory.add_account("bob@home.example", "x", **BY)
        self.app = await self.keys.add(AppPassword(0, ANN, "phone", ()), **BY)
        rule = {"name": "a", "to": [f"group:{STAFF}"], "action": "reject"}
        await self.policies.add({**rule, "text": "No.", "from": ["x.example"]}, **BY)
        entry = ListEntry(0, ANN, True, "a.example")
        await self.lists.add(entry, **BY)
        self.questions: dict[str, Callable[[], Deferred[Any]]] = {
            "domain": lambda: self.directory.domain("home.example"),
            "known": lambda: self.directory.known(ANN),
            "guess": lambda: self.directory.known("nobody@home.example"),
            "books": lambda: self.lists.books(ANN),
            "keys": lambda: self.keys.of(ANN),
            "identities": lambda: self.grants.identities(ANN),
            "groups": lambda: self.groups.of(ANN),
            "rules": lambda: self.policies.rulebook(),
            "hold": lambda: self.holds.held(ANN),
            "limits": lambda: self.allowances.allowance(ANN),
        }

    async def asked(self) -> dict[str, Any]:
        """The answers to all questions."""
        return {name: await ask() for name, ask in self.questions.items()}

    async def forgotten(self, change: Callable[[], Deferred[Any]]) -> set[str]:
        """What has to be read again after a change."""
        await self.asked()
        await change()
        return {name for name, ask in self.questions.items() if not ask().called}

    async def truth(self) -> dict[str, Any]:
        """What somebody answers who remembers nothing."""
        path, held = self.path / "directory.db", self.questions
        fresh = Directory(path, self.directory._reactor)
        fresh.startService()
        try:
            keys, grants, groups = Keys(fresh), Grants(fresh), Groups(fresh)
            policies, holds = Policies(fresh), Holds.of(fresh)
            allowances = Allowances.of(fresh, Allowance())
            return {
                "domain": await fresh.domain("home.example"),
                "known": await fresh.known(ANN),
                "guess": await fresh.known("nobody@home.example"),
                "books": await Lists(fresh).books(ANN),
                "keys": await keys.of(ANN),
                "identities": await grants.identities(ANN),
                "groups": await groups.of(ANN),
                "rules": await policies.rulebook(),
                "hold": await holds.held(ANN),
                "limits": await allowances.allowance(ANN),
            }
        finally:
            fresh.stopService()
            self.assertEqual(set(held), set(self.questions))

    async def test_as_much_as_changed(self) -> None:
        """A change makes nobody read again what it cannot have changed."""
        await self.open()
        bob = "bob@home.example"
        for wanted, change in (
            ({"keys"}, lambda: self.keys.used(self.app)),
            ({"keys"}, lambda: self.keys.add(AppPassword(0, ANN, "tv", ()), **BY)),
            ({"hold"}, lambda: self.holds.hold(bob, "It writes at night.")),
            ({"limits"}, lambda: self.allowances.set_limits(ANN, {"rate": 7}, **BY)),
            ({"books"}, lambda: self.lists.remove(1, **BY)),
            (
                {"groups", "rules", "limits"},
                lambda: self.groups.join(STAFF, [bob], **BY),
            ),
            ({"rules"}, lambda: self.policies.remove("a", **BY)),
            (
                {"known", "guess", "identities"},
                lambda: self.directory.put_alias("b@home.example", [bob], **BY),
            ),
        ):
            self.assertEqual(wanted, await self.forgotten(change))

    async def test_never_late(self) -> None:
        """After each change all answers are those of who remembers nothing."""
        await self.open()
        d = self.directory
        nobody = "nobody@home.example"
        for change in (
            lambda: self.keys.used(self.app),
            lambda: self.keys.renew(ANN, "hash", "newer"),
            lambda: self.keys.remove(ANN, "phone", **BY),
            lambda: d.set_password(ANN, "newest", **BY),
            lambda: self.holds.hold(ANN, "It writes at night."),
            lambda: self.holds.free(ANN, "user held reset", "", **BY),
            lambda: self.allowances.set_limits(f"group:{STAFF}", {"rate": 3}, **BY),
            lambda: self.groups.leave(STAFF, [ANN], **BY),
            lambda: self.groups.join(STAFF, [ANN], **BY),
            lambda: self.policies.remove("a", **BY),
            lambda: self.groups.remove(STAFF, **BY),
            lambda: d.add_account(nobody, "x", **BY),
            lambda: d.act("uid:test", directory_grants.add, ANN, nobody),
            lambda: d.set_domain("home.example", threshold=7.0, **BY),
            lambda: d.remove_alias("info@home.example", False, **BY),
            lambda: self.keys.add(AppPassword(0, ANN, "tv", ()), **BY),
            lambda: self.holds.hold(ANN, "It writes at night."),
            lambda: self.allowances.set_limits(ANN, {"rate": 2}, **BY),
            # By keys and triggers it goes from six tables.
            lambda: d.remove_account(ANN, **BY),
            lambda: d.add_account(ANN, "x", **BY),
            lambda: d.remove_domain("home.example", True, **BY),
        ):
            await self.asked()
            await change()
            self.assertEqual(await self.truth(), await self.asked())

    async def test_all_is_declared(self) -> None:
        """Whatever is remembered says from which tables it was read."""
        await self.open()
        tables: set[str] = set()

        def note(action: int, table: str | None, *_: object) -> int:
            if action == sqlite3.SQLITE_READ and table:
                tables.add(table)
            return sqlite3.SQLITE_OK

        plain = self.directory.ask

        def ask(function: Callable[..., Any], *args: Any) -> "Deferred[Any]":
            def watched(connection: sqlite3.Connection) -> Any:
                connection.set_authorizer(note)
                try:
                    return function(connection, *args)
                finally:
                    connection.set_authorizer(None)

            return plain(watched)

        self.patch(self.directory, "ask", ask)
        named = [tables for _, tables in self.directory._caches]
        declared = dict(zip(self.questions, named, strict=True))
        for name, question in self.questions.items():
            tables.clear()
            await question()
            self.assertLessEqual(tables, declared[name], name)
            self.assertTrue(tables, name)

    async def test_broken(self) -> None:
        """A change that failed half way is one that may have been made."""
        await self.open()

        def half(connection: sqlite3.Connection, doing: object) -> None:
            connection.execute("UPDATE holds SET reason='other'")
            raise RuntimeError("the disk is gone")

        def change() -> Deferred[Any]:
            return self.directory.act("", half).addErrback(lambda failure: None)

        self.assertEqual({"hold"}, await self.forgotten(change))
