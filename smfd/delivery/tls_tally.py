"""
Counts what came of TLS with the servers of each domain, day by day.

Standards: RFC 8460 §4.2.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import define, evolve, field

from smfd.format.tlsrpt import Failure, Outcome
from smfd.model.hop import NextHop
from smfd.net.smtp_client_tls import Proof
from smfd.policy.mta_sts import STS
from smfd.policy.report_days import Day
from smfd.policy.tls_site import SitePolicy
from smfd.store.history import Row, Shelf

#: Domains and days that are counted.
MOST = 20_000

#: Policies of a domain in a day, and kinds of failure under each.
_POLICIES, _KINDS = 10, 50

_DAY = 86_400

#: What says that the records of a host were what counted.
_OF_DANE = ("dnssec-invalid", "dane-required", "tlsa-invalid")


@define
class Tally:
    """
    The counts of all days that nobody has reported yet.

    @ivar seconds: what time it is, since the epoch.
    """

    seconds: Callable[[], float]
    shelf: Shelf = field(factory=lambda: Shelf(MOST))

    def note(self, policy: SitePolicy, hop: NextHop, proof: Proof) -> None:
        """
        A connection was opened, or should have been.

        What a person has asked for is no policy of the domain's, and is not
        counted.
        """
        if not policy.override:
            self._count(policy.domain, _policy(policy, hop, proof), hop, proof)

    def missed(self, domain: str, fault: str, why: str) -> None:
        """A domain's MTA-STS policy could not be had."""
        outcome = Outcome("sts", domain)
        self._count(domain, outcome, NextHop("smtp"), Proof(fault=fault, why=why))

    @property
    def keys(self) -> list[str]:
        """Those of the days, see L{Day.key}."""
        return list(self.shelf.rows)

    def outcomes(self, day: Day) -> tuple[Outcome, ...]:
        """What came of a day."""
        return tuple(_outcomes(self.shelf.rows.get(day.key, ())))

    def drop(self, day: Day) -> None:
        """A day was reported, or nobody wants to know."""
        self.shelf.drop(day.key)

    def _count(self, domain: str, policy: Outcome, hop: NextHop, proof: Proof) -> None:
        day = Day(int(self.seconds() // _DAY), domain)
        outcomes = list(self.outcomes(day))
        for n, known in enumerate(outcomes):
            if evolve(known, good=0, failures=()) == policy:
                outcomes[n] = _counted(known, hop, proof)
                break
        else:
            if len(outcomes) >= _POLICIES:
                return
            outcomes.append(_counted(policy, hop, proof))
        self.shelf.put(day.key, tuple(_row(outcome) for outcome in outcomes))


def _policy(policy: SitePolicy, hop: NextHop, proof: Proof) -> Outcome:
    """Whose policy it was that counted, without counts."""
    if hop.tls == "dane" or proof.fault in _OF_DANE:
        records = tuple(str(record) for record in hop.tlsa)
        return Outcome("tlsa", policy.domain, records, (hop.host,))
    if policy.sts is not None and policy.sts.mode != "none":
        text = tuple(_lines(policy.sts))
        return Outcome("sts", policy.domain, text, policy.sts.patterns)
    return Outcome("no-policy-found", policy.domain)


def _lines(sts: STS) -> Iterator[str]:
    yield "version: STSv1"
    yield f"mode: {sts.mode}"
    yield from (f"mx: {pattern}" for pattern in sts.patterns)
    yield f"max_age: {sts.max_age}"


def _counted(outcome: Outcome, hop: NextHop, proof: Proof) -> Outcome:
    if not proof.fault:
        return evolve(outcome, good=outcome.good + 1)
    why = proof.why[:200]
    new = Failure(proof.fault, 1, hop.origin.address, hop.host, hop.address, why)
    failures = list(outcome.failures)
    for n, known in enumerate(failures):
        if evolve(known, count=1) == new:
            failures[n] = evolve(known, count=known.count + 1)
            break
    else:
        if len(failures) < _KINDS:
            failures.append(new)
    return evolve(outcome, failures=tuple(failures))


def _row(outcome: Outcome) -> list[Any]:
    """As a shelf keeps it."""
    failures = [
        [f.result, f.count, f.source, f.host, f.address, f.why]
        for f in outcome.failures
    ]
    text, hosts = list(outcome.text), list(outcome.hosts)
    return [outcome.kind, outcome.domain, text, hosts, outcome.good, failures]


def _outcomes(row: Row | Sequence[Any]) -> Iterator[Outcome]:
    """What a shelf has; what nobody can have put there is left out."""
    for each in row:
        try:
            kind, domain, text, hosts, good, failures = each
            found = tuple(Failure(*failure) for failure in failures)
            yield Outcome(kind, domain, tuple(text), tuple(hosts), good, found)
        except (TypeError, ValueError):
            continue
