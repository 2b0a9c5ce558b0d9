"""
The rules in their order: the first that matches decides, for each recipient.

Whoever sends from outside can write any name on a letter.  So where a name
opens a door (an allowing rule's C{from}, a refusing rule's C{not_from}), it
counts only if it was proven; where it shuts one, whoever uses it is meant.

Standards: RFC 5321 §4.5.1 (postmaster).
"""

from collections.abc import Iterable, Iterator

from attrs import field, frozen

from smfd.model.rule import LAST, Condition, Mail, Rule, Ruling
from smfd.policy.rule_fields import (
    FIELDS,
    GROUP,
    INSIDE,
    WHO,
    Case,
    Groups,
    Sender,
    Test,
)

#: What holds where no rule says anything.
OTHERWISE = Rule(LAST, (), "allow")

#: Who can always be reached: somebody must hear of it when a rule is wrong.
_POSTMASTER = "postmaster"


@frozen
class _Bound:
    """A rule with the tests of its conditions: (test, what it must say)."""

    rule: Rule
    tests: tuple[tuple[Test, bool], ...]

    def matches(self, case: Case) -> bool:
        """Whether all conditions are met."""
        return all(test(case) is wanted for test, wanted in self.tests)


def _bound(rule: Rule, groups: Groups) -> _Bound:
    def bind(condition: Condition) -> tuple[Test, bool]:
        proven = rule.permits is not condition.negated
        about = FIELDS[condition.about]
        test = about.test(condition.values, groups, proven)
        return test, not condition.negated

    return _Bound(rule, tuple(map(bind, rule.conditions)))


@frozen
class Rulebook:
    """
    All rules that are in force.

    @ivar rules: in order, disabled ones too.
    @ivar groups: the members of every group that a rule speaks of.
    @ivar fields: the header fields that some rule asks for, in lower case.
    @ivar looks_inside: some rule asks what is attached.
    """

    rules: tuple[Rule, ...] = ()
    groups: Groups = field(factory=dict)
    _asked: tuple[_Bound, ...] = field(init=False, eq=False, repr=False)
    fields: frozenset[str] = field(init=False, eq=False, repr=False)
    looks_inside: bool = field(init=False, eq=False, repr=False)

    @_asked.default
    def _bind(self) -> tuple[_Bound, ...]:
        return tuple(_bound(rule, self.groups) for rule in self.rules if rule.enabled)

    @fields.default
    def _needed_fields(self) -> frozenset[str]:
        return frozenset(
            value.partition(":")[0]
            for condition in self._conditions()
            if condition.about == "header"
            for value in condition.values
        )

    @looks_inside.default
    def _needs_inside(self) -> bool:
        return any(condition.about in INSIDE for condition in self._conditions())

    def _conditions(self) -> Iterator[Condition]:
        for bound in self._asked:
            yield from bound.rule.conditions

    def __bool__(self) -> bool:
        """Whether it says anything at all."""
        return bool(self._asked)

    def judge(self, mail: Mail) -> tuple[Ruling, ...]:
        """What is to be done, for each recipient, in their order."""
        sender = Sender(mail)
        return tuple(self._ruling(Case(sender, to)) for to in mail.recipients)

    def _ruling(self, case: Case) -> Ruling:
        address = case.to.address
        for bound in self._asked:
            if bound.matches(case):
                return _ruled(case, bound.rule)
        return Ruling(address, "allow", LAST)


def group_names(rules: Iterable[Rule]) -> frozenset[str]:
    """The groups that rules speak of."""
    return frozenset(
        value.removeprefix(GROUP)
        for rule in rules
        for condition in rule.conditions
        for value in condition.values
        if value.startswith(GROUP)
    )


def addresses(rule: Rule) -> tuple[str, ...]:
    """The addresses that its conditions name, each once."""
    named = (
        value
        for condition in rule.conditions
        if condition.about in ("from", "to")
        for value in condition.values
        if "@" in value and not value.startswith(GROUP)
    )
    return tuple(dict.fromkeys(named))


def protected(rules: Iterable[Rule]) -> frozenset[str]:
    """
    The groups that some rule keeps at least somebody from writing to (S54),
    whatever he writes and whenever.
    """
    return frozenset(
        value.removeprefix(GROUP)
        for rule in rules
        if rule.enabled and not rule.permits
        if all(condition.about in WHO for condition in rule.conditions)
        for condition in rule.conditions
        if condition.about == "to" and not condition.negated
        for value in condition.values
        if value.startswith(GROUP)
    )


def _ruled(case: Case, rule: Rule) -> Ruling:
    address, action = case.to.address, rule.action
    if rule.permits:
        action = "allow"
    elif why := _exempt(case, rule):
        return Ruling(address, "allow", rule.name, why)
    return Ruling(
        address,
        action,
        rule.name,
        rule.text,
        rule.redirect,
        rule.approvers,
        rule.header,
        rule.notify,
    )


def _exempt(case: Case, rule: Rule) -> str:
    """Why a rule that keeps mail back lets this through all the same, or ""."""
    # RFC 5321 §4.5.1.
    local = case.to.address.rpartition("@")[0].lower()
    if local == _POSTMASTER and case.to.direction != "outbound":
        if rule.action in ("reject", "redirect"):
            return "postmaster is always reached"
    elif case.to.address.lower() == rule.redirect:
        return "it goes there anyway"
    # Who may approve of it need not be asked.
    if frozenset(rule.approvers).isdisjoint(case.mail.proven):
        return ""
    return "its approver sent it"
