"""
What is wrong with rules among each other, said when they are saved.

A rule that an earlier one leaves nothing to; a rule that cannot match; a rule
that keeps everybody's mail back; redirections that lead in a circle.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from attrs import frozen

from smfd.model.rule import DIRECTIONS, FILE_TYPES, Condition, Rule
from smfd.policy.lists import keys
from smfd.policy.rule_fields import FIELDS, GROUP, Groups, Words, is_file_type


@frozen
class Fault:
    """
    Why a rule cannot be so.

    @ivar rule: its name.
    @ivar kind: "unreachable", "contradictory", "lock-out" or "loop".
    """

    rule: str
    kind: str
    sentence: str


def faults(
    rules: Sequence[Rule], groups: Groups, domains: Collection[str] = ()
) -> tuple[Fault, ...]:
    """
    All that is wrong with the enabled ones, in their order.

    @param domains: those that are hosted.
    """
    asked = [rule for rule in rules if rule.enabled]
    return (
        *_unreachable(asked),
        *_contradictory(asked),
        *_locking_out(asked, groups, domains),
        *_looping(asked, groups),
    )


def _unreachable(rules: Sequence[Rule]) -> Iterator[Fault]:
    for number, rule in enumerate(rules):
        before = next((one for one in rules[:number] if _covers(one, rule)), None)
        if before is None:
            continue
        same = before.conditions == rule.conditions
        what = "contradictory" if same and before.action != rule.action else ""
        yield Fault(
            rule.name,
            what or "unreachable",
            f"The rule {rule.name!r} is never reached: {before.name!r} before it"
            + (
                " says otherwise of the same mail."
                if what
                else " decides all that it matches."
            ),
        )


def _covers(wide: Rule, narrow: Rule) -> bool:
    """Whether all that the second matches, the first matches too."""
    # What one only says to be opens no door; see smfd.policy.rule.
    sure = wide.permits and not narrow.permits
    return all(
        any(
            _implies(given, wanted)
            for given in narrow.conditions
            if given.about == wanted.about and not (sure and wanted.about == "from")
        )
        for wanted in wide.conditions
    )


def _implies(given: Condition, wanted: Condition) -> bool:
    """Whether the one cannot hold without the other."""
    if given.negated != wanted.negated:
        apart = frozenset(given.values).isdisjoint(wanted.values)
        # One of a few words: who has this one does not have the other.
        return wanted.negated and isinstance(FIELDS[given.about], Words) and apart
    if wanted.negated:
        return _within(wanted, given)
    return _within(given, wanted)


def _within(small: Condition, large: Condition) -> bool:
    """Whether every value of one is covered by some of the other."""
    covers = FIELDS[small.about].covers
    return all(any(covers(wide, one) for wide in large.values) for one in small.values)


def _contradictory(rules: Sequence[Rule]) -> Iterator[Fault]:
    for rule in rules:
        never = _never(rule)
        why = f"never matches: {never}" if never else _idle(rule)
        if why:
            sentence = f"The rule {rule.name!r} {why}."
            yield Fault(rule.name, "contradictory", sentence)


def _never(rule: Rule) -> str:
    """Why nothing can meet all its conditions, or ""."""
    wanted = {c.about: c for c in rule.conditions if not c.negated}
    for excluded in (c for c in rule.conditions if c.negated):
        given = wanted.get(excluded.about)
        # Refusing who says to be somebody, and did not prove it, makes sense.
        forged = excluded.about == "from" and not rule.permits
        if given is not None and not forged and _within(given, excluded):
            return f"{excluded.key} leaves nothing of {given.key}"
    return _out_of_place(wanted)


def _idle(rule: Rule) -> str:
    """Why a rule that matches does not what is meant, or ""."""
    for condition in rule.conditions:
        if condition.key == "to" and condition.values == (rule.redirect,):
            return f"does nothing: mail for {rule.redirect} goes there anyway"
        for value in condition.values:
            if condition.about == "attachment_type" and not is_file_type(value):
                return (
                    f"looks for files of the type {value!r}, and none are: write"
                    f" application/pdf, or one of {', '.join(sorted(FILE_TYPES))}"
                )
    return ""


def _out_of_place(wanted: Mapping[str, Condition]) -> str:
    """Why there is no such mail in these directions, or ""."""
    given = {about: condition.values for about, condition in wanted.items()}
    directions = given.get("direction", ())
    to = given.get("to", ())
    if directions == ("outbound",) and to and all(map(_is_group, to)):
        return "members of groups are here, and outbound mail goes elsewhere"
    if not directions or "inbound" in directions:
        return ""
    if given.get("authenticated") == ("no",):
        return "who sends from here has logged in"
    if "clean" not in given.get("verdict", ("clean",)):
        return "only inbound mail is judged before"
    return ""


def _is_group(value: str) -> bool:
    return value.startswith(GROUP)


def _locking_out(
    rules: Sequence[Rule], groups: Groups, domains: Collection[str]
) -> Iterator[Fault]:
    for rule in rules:
        if rule.permits:
            # Somebody is let through before; who, is theirs to say.
            return
        spared = (_spares(c, groups, domains) for c in rule.conditions)
        if not any(spared) and not _is_foreign(rule):
            yield Fault(
                rule.name,
                "lock-out",
                f"The rule {rule.name!r} would keep back everybody's mail: it excepts"
                " nobody, and no rule before it lets anybody through.",
            )


def _spares(condition: Condition, groups: Groups, domains: Collection[str]) -> bool:
    """Whether some mail from here, or to here, does not meet a condition."""
    if condition.about == "direction":
        return False
    if condition.negated:
        return not all(
            _is_group(value) and not groups.get(value.removeprefix(GROUP))
            for value in condition.values
        )
    if condition.about not in ("from", "to") or not domains:
        return True
    covers = FIELDS[condition.about].covers
    return not all(
        any(covers(value, domain) for value in condition.values) for domain in domains
    )


def _is_foreign(rule: Rule) -> bool:
    """Whether it is about mail from elsewhere that says to be from here."""
    left = frozenset(DIRECTIONS)
    for condition in rule.conditions:
        if condition.about == "direction":
            values = frozenset(condition.values)
            left = left - values if condition.negated else left & values
    return left == {"inbound"} and any(c.key == "from" for c in rule.conditions)


def _looping(rules: Sequence[Rule], groups: Groups) -> Iterator[Fault]:
    """Redirections of mail for one whose mail is redirected, and so on."""
    leading = [rule for rule in rules if rule.action == "redirect"]
    onward = {
        rule.name: [
            other
            for other in leading
            if other is not rule and _catches(other, rule.redirect, groups)
        ]
        for rule in leading
    }
    for rule in leading:
        seen, waiting = {rule.name}, list(onward[rule.name])
        while waiting:
            other = waiting.pop()
            if other.name == rule.name:
                yield Fault(
                    rule.name,
                    "loop",
                    f"The rule {rule.name!r} redirects to {rule.redirect}, whose mail"
                    " other rules lead back.",
                )
                break
            if other.name not in seen:
                seen.add(other.name)
                waiting += onward[other.name]


def _catches(rule: Rule, address: str, groups: Groups) -> bool:
    """Whether a rule speaks of mail for an address in so many words."""
    patterns = frozenset(keys(address))
    return any(
        value in patterns
        or (_is_group(value) and address in groups.get(value[len(GROUP) :], ()))
        for condition in rule.conditions
        if condition.about == "to" and not condition.negated
        for value in condition.values
    )
