"""Mail policies in C{directory.db}: rules in an order that people give them (S51)."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from smfd.model.directory import Refused
from smfd.model.rule import LAST, Rule
from smfd.policy.rule import Rulebook, group_names
from smfd.policy.rule_text import KEYS, read_rule, write_rule
from smfd.store.directory import Directory
from smfd.store.directory_known import known
from smfd.store.directory_rows import Doing, hosted, transaction
from smfd.store.policy_rows import check, members, stored, written

#: How many rules there may be.
MOST = 500

Document = Mapping[str, Any]


class Policies:
    """The rules, one list for the whole house."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._book = directory.cache(1, "policies", "group_members")

    def rulebook(self) -> Deferred[Rulebook]:
        """The rules in force with their groups; remembered until they change."""
        return self._directory.recall(self._book, "", _rulebook)

    def rules(self) -> Deferred[tuple[Rule, ...]]:
        """All rules in their order, disabled ones too."""
        return self._directory.ask(stored)

    def rule(self, name: str) -> Deferred[tuple[int, Rule]]:
        """A rule, and its place from 1 on."""
        return self._directory.ask(one, name)

    def add(
        self, document: Document, before: str = "", *, actor: str
    ) -> Deferred[Rule]:
        """Add a rule at the end, or before another; refused when it is at fault."""
        return self._directory.act(actor, add, document, before)

    def edit(self, name: str, document: Document, *, actor: str) -> Deferred[Rule]:
        """Change the members that the document has; a null one goes."""
        return self._directory.act(actor, edit, name, document)

    def move(self, name: str, before: str = "", *, actor: str) -> Deferred[Rule]:
        """Put a rule before another, or at the end."""
        return self._directory.act(actor, move, name, before)

    def remove(self, name: str, *, actor: str) -> Deferred[Rule]:
        """Take a rule away."""
        return self._directory.act(actor, remove, name)

    def apply(
        self, documents: Sequence[Document], *, actor: str
    ) -> Deferred[tuple[Rule, ...]]:
        """Have these rules and no others; all of them, or nothing changes."""
        return self._directory.act(actor, apply, documents)


def _rulebook(connection: sqlite3.Connection, key: str) -> Rulebook:
    found = stored(connection)
    return Rulebook(found, members(connection, found))


def one(connection: sqlite3.Connection, name: str) -> tuple[int, Rule]:
    """A rule that must be there, and its place from 1 on."""
    found = stored(connection)
    place = _index(found, name)
    return place + 1, found[place]


def add(
    connection: sqlite3.Connection, doing: Doing, document: Document, before: str
) -> Rule:
    """One more rule."""
    made = _read(document)
    with transaction(connection, doing, "policy add", made.name, written(made)):
        found = list(stored(connection))
        if any(rule.name == made.name for rule in found):
            raise Refused(
                "conflict",
                f"There is a rule {made.name} already.",
                "Change it with: policy edit.",
            )
        found.insert(_place(found, before), made)
        _check_named(connection, made)
        _store(connection, doing, found)
    return made


def edit(
    connection: sqlite3.Connection, doing: Doing, name: str, document: Document
) -> Rule:
    """Another rule in the place of one."""
    with transaction(
        connection, doing, "policy edit", name, json.dumps(dict(document))
    ):
        found = list(stored(connection))
        place = _index(found, name)
        merged = {**write_rule(found[place]), **document}
        # What is forgotten must be a key: a slip of the pen is no success.
        kept = {k: v for k, v in merged.items() if v is not None or k not in KEYS}
        changed = _read(kept)
        if any(rule.name == changed.name for n, rule in enumerate(found) if n != place):
            raise Refused("conflict", f"There is a rule {changed.name} already.")
        found[place] = changed
        _check_named(connection, changed)
        _store(connection, doing, found)
    return changed


def move(connection: sqlite3.Connection, doing: Doing, name: str, before: str) -> Rule:
    """The same rule in another place."""
    where = f"before {before}" if before else "to the end"
    with transaction(connection, doing, "policy move", name, where):
        found = list(stored(connection))
        moved = found.pop(_index(found, name))
        found.insert(_place(found, before), moved)
        _store(connection, doing, found)
    return moved


def remove(connection: sqlite3.Connection, doing: Doing, name: str) -> Rule:
    """One rule less; refused when the others would lock everybody out then."""
    with transaction(connection, doing, "policy remove", name, ""):
        found = list(stored(connection))
        gone = found.pop(_index(found, name))
        _store(connection, doing, found)
    return gone


def apply(
    connection: sqlite3.Connection, doing: Doing, documents: Sequence[Document]
) -> tuple[Rule, ...]:
    """These rules and no others."""
    made = tuple(_read(one, number) for number, one in enumerate(documents, 1))
    names = [rule.name for rule in made]
    said = f"{len(made)} rules: {' '.join(names)}"
    with transaction(connection, doing, "policy apply", "policies", said):
        for name in names:
            if names.count(name) > 1:
                raise Refused("invalid", f"Two rules are called {name!r}.")
        for rule in made:
            _check_named(connection, rule)
        _store(connection, doing, made)
    return made


def _read(document: Document, number: int = 0) -> Rule:
    try:
        return read_rule(document)
    except ValueError as wrong:
        name = str(document.get("name", ""))[:60]
        nameless = f"Rule {number}: " if number else ""
        where = f"Rule {name!r}: " if name else nameless
        raise Refused("invalid", f"{where}{wrong}") from None


def _index(found: Sequence[Rule], name: str) -> int:
    wanted = name.strip().lower()
    for place, rule in enumerate(found):
        if rule.name == wanted:
            return place
    if wanted == LAST:
        raise Refused(
            "conflict",
            f"The rule {LAST!r} stays: what no other rule matches is allowed.",
            "A rule before it may say otherwise.",
        )
    raise Refused(
        "unknown", f"There is no rule {name[:60]!r}.", "policy list shows them."
    )


def _place(found: Sequence[Rule], before: str) -> int:
    if not before or before.strip().lower() == LAST:
        return len(found)
    return _index(found, before)


def _check_named(connection: sqlite3.Connection, rule: Rule) -> None:
    """Whoever a rule needs is there."""
    for name in sorted(group_names((rule,))):
        row = connection.execute("SELECT 1 FROM user_groups WHERE name=?", (name,))
        if row.fetchone() is None:
            raise Refused(
                "unknown", f"There is no group {name}.", "Make it with: group add."
            )
    for address in (rule.redirect, *rule.approvers, *rule.notify):
        if address:
            _check_reader(connection, address)


def _check_reader(connection: sqlite3.Connection, address: str) -> None:
    hosted(connection, address.rpartition("@")[2])
    found = known(connection, address, "")
    if found is None:
        raise Refused("unknown", f"{address} does not exist.", "Add it with: user add.")
    if found.targets or found.address != address:
        # Its mail may lead back to where it came from.
        raise Refused(
            "invalid",
            f"{address} stands for others; name a mailbox that keeps its mail.",
        )


def _store(connection: sqlite3.Connection, doing: Doing, found: Sequence[Rule]) -> None:
    """These in this order, if they can stand beside each other."""
    if len(found) > MOST:
        raise Refused("conflict", f"There are at most {MOST} rules.")
    check(connection, found)
    old: dict[str, float] = dict(
        connection.execute("SELECT name, created FROM policies").fetchall()
    )
    connection.execute("DELETE FROM policies")
    connection.executemany(
        "INSERT INTO policies (position, name, rule, created) VALUES (?,?,?,?)",
        [
            (place, rule.name, written(rule), old.get(rule.name, doing.now))
            for place, rule in enumerate(found, 1)
        ],
    )
