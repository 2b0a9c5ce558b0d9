"""The rules of C{directory.db} as they are stored, and what they may be."""

import json
import sqlite3
from collections.abc import Iterator, Sequence

from smfd.model.directory import Refused
from smfd.model.rule import Rule
from smfd.policy.rule import group_names
from smfd.policy.rule_faults import faults
from smfd.policy.rule_fields import GROUP, Groups
from smfd.policy.rule_text import read_rule, write_rule


def stored(connection: sqlite3.Connection) -> tuple[Rule, ...]:
    """All rules in their order."""
    rows = connection.execute("SELECT rule FROM policies ORDER BY position, id")
    return tuple(read_rule(json.loads(text)) for (text,) in rows)


def written(rule: Rule) -> str:
    """A rule as it is stored."""
    return json.dumps(write_rule(rule), ensure_ascii=False)


def members(connection: sqlite3.Connection, rules: Sequence[Rule]) -> Groups:
    """The members of the groups that rules speak of; of unknown ones, nobody."""
    found = {}
    for name in group_names(rules):
        rows = connection.execute(
            "SELECT address FROM group_members WHERE name=?", (name,)
        )
        found[name] = frozenset(address for (address,) in rows)
    return found


def check(connection: sqlite3.Connection, rules: Sequence[Rule]) -> None:
    """
    Refuse rules that cannot stand beside each other, naming all of them.

    @raise Refused: which, and why.
    """
    domains = [name for (name,) in connection.execute("SELECT name FROM domains")]
    found = faults(rules, members(connection, rules), domains)
    if found:
        raise Refused(
            "conflict",
            " ".join(fault.sentence for fault in found[:5]),
            "Change the conditions, or the order: policy move.",
        )


def check_unruled(connection: sqlite3.Connection, name: str) -> None:
    """
    Refuse when rules would be without whom they need.

    @param name: an address that approves, is told, gets redirected mail or is
        let through; or a domain of such addresses, or of groups.
    """
    needing = [rule.name for rule in stored(connection) if name in _needed(rule)]
    if needing:
        raise Refused(
            "conflict",
            f"Rules need {name}: {', '.join(needing[:5])}.",
            "Change them first: policy edit.",
        )


def _needed(rule: Rule) -> frozenset[str]:
    """Addresses and domains that a rule makes no sense without."""
    people = {rule.redirect, *rule.approvers, *rule.notify, *_let_through(rule)}
    named = people | group_names((rule,))
    return frozenset(people | {one.rpartition("@")[2] for one in named} - {""})


def _let_through(rule: Rule) -> Iterator[str]:
    """For whom alone it opens a door: who has the address next is another."""
    for condition in rule.conditions:
        if condition.about == "from" and condition.negated is not rule.permits:
            for value in condition.values:
                if "@" in value and not value.startswith(GROUP):
                    yield value
