"""
Why others reject us, worked out from what was counted (S26).

Pure: rows of counts in, numbers and sentences out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter

from attrs import define, field, frozen

from smfd.model.cause import Kind, kind_of
from smfd.model.grammar import counted

#: The kinds of what was counted that are no failures.
SENT, COMPLAINT = "sent", "complaint"

#: Kinds that speak of the account itself.  A bad name of ours does not: whoever
#: sends most has most of those, whoever it was that spoiled it.
_SPAMMY = (Kind.UNKNOWN_RECIPIENT.value, Kind.CONTENT.value, COMPLAINT)

#: A bad name: whoever says so means us, and says it seldom.
_NAMES = (Kind.REPUTATION_ADDRESS.value, Kind.REPUTATION_DOMAIN.value)

#: Kinds that speak of us, one or the other way.
_OURS = (
    *_NAMES,
    Kind.AUTHENTICATION.value,
    Kind.CONTENT.value,
    Kind.POLICY.value,
)

#: So many are named in a sentence.
_NAMED = 3

#: Fewer tries than these say nothing of anybody.
_FEW = 20

#: Causes that are told of one provider.
_CAUSES = 5


@define
class Tally:
    """
    What became of the tries of one provider, account, address or day.

    @ivar deferred: tries that were put off; a message may have several.
    """

    name: str
    sent: int = 0
    deferred: int = 0
    rejected: int = 0
    complaints: int = 0
    kinds: Counter[str] = field(factory=Counter)

    @property
    def failed(self) -> int:
        """Tries that did not go well."""
        return self.deferred + self.rejected

    @property
    def tries(self) -> int:
        """All of them."""
        return self.sent + self.failed

    @property
    def share(self) -> float:
        """The part that was rejected, 0 to 1."""
        done = self.sent + self.rejected
        return self.rejected / done if done else 0.0

    @property
    def top(self) -> tuple[tuple[str, int], ...]:
        """The causes with most tries."""
        return tuple(self.kinds.most_common(_CAUSES))

    def add(self, kind: str, permanent: bool, number: int) -> None:
        """Count some."""
        if kind == SENT:
            self.sent += number
        elif kind == COMPLAINT:
            self.complaints += number
        else:
            self.kinds[kind] += number
            if permanent:
                self.rejected += number
            else:
                self.deferred += number


def tallies(rows: Iterable[tuple[object, str, bool, int]]) -> list[Tally]:
    """One for each name, those with most failures first."""
    found: dict[str, Tally] = {}
    for name, kind, permanent, number in rows:
        key = str(name)
        found.setdefault(key, Tally(key)).add(kind, permanent, number)
    return sorted(
        found.values(), key=lambda t: (-t.failed - t.complaints, -t.sent, t.name)
    )


def total(parts: Iterable[Tally]) -> Tally:
    """All of them together."""
    all_ = Tally("")
    for part in parts:
        all_.sent += part.sent
        all_.deferred += part.deferred
        all_.rejected += part.rejected
        all_.complaints += part.complaints
        all_.kinds.update(part.kinds)
    return all_


@frozen
class Evidence:
    """
    What is known.

    @ivar providers: those with most failures first.
    @ivar accounts: likewise.
    @ivar listed: sentences about lists that have our addresses.
    @ivar named: sentences about names of our addresses.
    """

    providers: Sequence[Tally]
    accounts: Sequence[Tally]
    listed: Sequence[str] = ()
    named: Sequence[str] = ()


def answer(evidence: Evidence) -> list[str]:
    """Why others reject us: sentences, the weightiest first."""
    all_ = total(evidence.providers)
    said = [*evidence.listed, *_bad_names(evidence.providers)]
    said += _accounts(evidence.accounts, all_)
    said += _providers(evidence.providers)
    said += _everywhere(all_)
    said += evidence.named
    if not all_.tries:
        return [*said, "Nothing was sent."]
    return said or [_little(all_)]


def _little(all_: Tally) -> str:
    """Where there is little to say, or too little is known to say more."""
    if all_.failed:
        ours = any(all_.kinds[kind] for kind in _OURS)
        so = "Of" if ours else "Nobody rejects us for what we are: of"
        why = ", ".join(f"{kind_of(k).words} ({n})" for k, n in all_.top[:_NAMED])
        tries = counted(all_.tries, "try")
        return f"{so} {tries} {all_.failed} did not go well: {why}."
    if all_.complaints:
        by = counted(all_.complaints, "recipient")
        return f"Nobody rejects us, but {by} called a message spam."
    return "Nobody rejects us: all went well."


def _bad_names(providers: Sequence[Tally]) -> Iterable[str]:
    """Who says that it is our address, or our domain, that they do not like."""
    for name in _NAMES:
        by = [p for p in providers if p.kinds[name]]
        if by:
            names = [p.name or "many small ones" for p in by[:_NAMED]]
            more = [f"{len(by) - _NAMED} more"] if len(by) > _NAMED else []
            said = counted(sum(p.kinds[name] for p in by), "reply")
            yield (
                f"{kind_of(name).words.capitalize()} with {', '.join(names + more)}:"
                f" so {said}; what to do stands below."
            )


def _accounts(accounts: Sequence[Tally], all_: Tally) -> Iterable[str]:
    """One sender spoils it for all; the common root of a bad name."""
    failed = _spam(all_)
    for account in accounts:
        own = _spam(account)
        if own >= _FEW and own * 2 > failed:
            yield (
                f"One account brings it about: {account.name} has {own} of the"
                f" {failed} refusals and complaints that spam brings. Look at it:"
                f" user held show {account.name}."
            )


def _spam(tally: Tally) -> int:
    """What speaks of spam; complaints are counted by themselves."""
    return tally.complaints + sum(tally.kinds[kind] for kind in _SPAMMY)


def _providers(providers: Sequence[Tally]) -> Iterable[str]:
    """Those who refuse more than they take."""
    bad = (p for p in providers if p.failed >= _FEW and p.failed > p.sent)
    for one in sorted(bad, key=attrgetter("failed"), reverse=True)[:5]:
        kind, number = one.top[0]
        yield (
            f"{one.name or 'Many small ones'}: {one.failed} of {one.tries} tries did"
            f" not go well, {number} of them: {kind_of(kind).words}."
        )


def _everywhere(all_: Tally) -> Iterable[str]:
    """What is wrong wherever we go."""
    unknown = all_.kinds[Kind.UNKNOWN_RECIPIENT.value]
    if unknown >= _FEW and unknown * 20 > all_.sent + all_.rejected:
        yield (
            f"{unknown} tries went to addresses that do not exist: more than one in"
            " twenty, which is how bought lists look."
        )
    proved = all_.kinds[Kind.AUTHENTICATION.value]
    if proved >= _FEW:
        yield (
            f"{proved} tries were refused because SPF, DKIM or DMARC did not prove"
            " the sender."
        )
    complaints = all_.complaints
    if complaints >= 5 and complaints * 1000 > 3 * all_.sent:
        yield (
            f"{complaints} recipients called it spam: more than three in a thousand,"
            " which is what large providers bear at most."
        )
