"""
Findings in, a fate for each recipient out.

The order is the seeds' (S4 to S13): a virus ends the matter for everybody,
then each recipient's lists, then the sum of the scores.
"""

from collections.abc import Collection, Mapping, Sequence

from attrs import evolve, frozen

from smfd.model.directory import Domain
from smfd.model.finding import Finding, Listed, Result
from smfd.model.transaction import Transaction
from smfd.model.verdict import Disposition, Fate, Verdict
from smfd.policy.standing import ENCRYPTED, is_authenticated, listed_for

#: What a domain gets that set nothing of its own.
DEFAULT = Domain(name="")


@frozen
class Policy:
    """
    What the settings and the directory say about judging.

    @ivar deferring: the stages whose failure defers the message; the others'
        failure adds nothing to the score.  The virus stage always defers.
    @ivar scores: what symbols are worth here, instead of what stages say.
    @ivar threshold: the score at which mail is spam, for domains that set
        none of their own.
    @ivar encrypted: domains that take what nobody can look into without a
        password; for all others it is held.
    """

    deferring: frozenset[str] = frozenset({"virus", "lists"})
    scores: Mapping[str, float] = {}
    threshold: float = 5.0
    encrypted: frozenset[str] = frozenset()

    def weigh(self, transaction: Transaction) -> Transaction:
        """
        The same findings with the scores of the settings.

        A symbol counts once, however many findings have it: a message must
        not become spam by its tenth broken signature, nor ham by its tenth
        good one.
        """
        if not self.scores:
            return transaction
        left = dict(self.scores)
        weighed = tuple(
            evolve(f, score=left.pop(f.symbol, 0.0)) if f.symbol in self.scores else f
            for f in transaction.findings
        )
        return transaction.weighed(weighed)

    def decide(
        self,
        transaction: Transaction,
        domains: Mapping[str, Domain],
        together: Sequence[Collection[str]] = (),
    ) -> Verdict:
        """
        Judge a message whose stages have all reported.

        @param domains: the hosted domains of the recipients, by name.
        @param together: the recipients that one reply answers, disjoint; who is
            in none of them shares one with the others.
        """
        findings = transaction.findings
        score = round(sum(f.score for f in findings if f.score is not None), 2)
        for_all = self._for_all(findings)
        recipients = [f.address for f in transaction.envelope.recipients]
        if for_all is not None:
            fates = tuple(evolve(for_all, recipient=str(a)) for a in recipients)
        else:
            case = _Case(findings, score, self._broken(findings), self.threshold)
            locked = next((f for f in findings if f.symbol == ENCRYPTED), None)
            fates = tuple(
                Fate(str(a), Disposition.QUARANTINE, "unscanned", locked.reason)
                if locked is not None and not self._takes_encrypted(a.domain)
                else case.decide(str(a), domains.get(a.domain, DEFAULT))
                for a in recipients
            )
            fates = settled(fates, together)
        return Verdict(category(fates), score, fates)

    def _takes_encrypted(self, domain: str) -> bool:
        """Whether it is judged like other mail, for recipients there."""
        return not self.encrypted.isdisjoint((domain, "*"))

    def _for_all(self, findings: Sequence[Finding]) -> Fate | None:
        """What the virus stage decides for everybody, whatever his lists."""
        for finding in findings:
            if finding.stage != "virus" or finding.symbol == ENCRYPTED:
                continue
            if finding.result is Result.FAIL:  # S4, S5, S6
                return Fate("", Disposition.QUARANTINE, "virus", finding.reason)
            if finding.result is Result.SUSPECT:
                return Fate("", Disposition.QUARANTINE, "unscanned", finding.reason)
            if finding.result is Result.ERROR:
                # C21: never unscanned, and never lost: come again.
                return Fate("", Disposition.DEFER, "deferred", finding.reason)
        return None

    def _broken(self, findings: Sequence[Finding]) -> Finding | None:
        for finding in findings:
            if finding.result is Result.ERROR and finding.stage in self.deferring:
                return finding
        return None


@frozen
class _Case:
    """What is the same for all recipients, when nothing ends the matter."""

    findings: Sequence[Finding]
    score: float
    broken: Finding | None
    threshold: float

    def decide(self, recipient: str, domain: Domain) -> Fate:
        """His lists first, then what broke, then the sum."""
        ignored = ""
        for entry in listed_for(self.findings, recipient):
            if not entry.allow:  # S8
                reason = ignored + entry.reason
                return Fate(recipient, Disposition.QUARANTINE, "blocked", reason)
            if self._counts(entry, domain):  # S7
                return Fate(recipient, Disposition.DELIVER, "allowed", entry.reason)
            # C9: whoever writes a trusted name into From is not trusted for it.
            ignored = "an allow entry was ignored: the sender is unauthenticated; "
        if self.broken is not None:
            reason = ignored + self.broken.reason
            return Fate(recipient, Disposition.DEFER, "deferred", reason)
        own = domain.threshold
        return self._by_score(
            recipient, self.threshold if own is None else own, ignored
        )

    def _counts(self, entry: Listed, domain: Domain) -> bool:
        return domain.allow_unauthenticated or is_authenticated(
            self.findings, entry.identity
        )

    def _by_score(self, recipient: str, threshold: float, ignored: str) -> Fate:
        """Sum and threshold, S11 and S12."""
        score = self.score
        if score < threshold:
            reason = f"{ignored}score {score:g} is below the threshold {threshold:g}"
            return Fate(
                recipient, Disposition.DELIVER, "clean", reason, score, threshold
            )
        scored = [f for f in self.findings if f.score is not None and f.score > 0]
        scored.sort(key=lambda f: -(f.score or 0))
        because = "; ".join(f.reason or f.symbol for f in scored[:3])
        reason = (
            f"{ignored}score {score:g} reaches the threshold {threshold:g}: {because}"
        )
        return Fate(recipient, Disposition.QUARANTINE, "spam", reason, score, threshold)


def settled(
    fates: tuple[Fate, ...], together: Sequence[Collection[str]]
) -> tuple[Fate, ...]:
    """
    The same as it can be told, in one reply or in several.

    @param together: see L{Policy.decide}.
    """
    if not together:
        return one_reply(fates)
    group = {name: number for number, names in enumerate(together) for name in names}
    shared: dict[int, list[Fate]] = {}
    for fate in fates:
        shared.setdefault(group.get(fate.recipient, -1), []).append(fate)
    settled = (fate for one in shared.values() for fate in one_reply(tuple(one)))
    by_name = {fate.recipient: fate for fate in settled}
    return tuple(by_name[fate.recipient] for fate in fates)


def one_reply(fates: tuple[Fate, ...]) -> tuple[Fate, ...]:
    """
    One reply answers all of these: refuse only what is refused for everybody.

    Where recipients differ the refused ones are quarantined, and it says so.
    """
    if all([fate.disposition is fates[0].disposition for fate in fates]):
        return fates
    refusing = (Disposition.REJECT, Disposition.DEFER)
    return tuple(
        evolve(
            fate,
            disposition=Disposition.QUARANTINE,
            category="unscanned" if fate.category == "deferred" else fate.category,
            reason=fate.reason + "; held, since other recipients took the message",
        )
        if fate.disposition in refusing
        else fate
        for fate in fates
    )


def category(fates: tuple[Fate, ...]) -> str:
    """The word for the message as a whole."""
    categories = {fate.category for fate in fates}
    return categories.pop() if len(categories) == 1 else "mixed"
