"""The mail policies at the front door: for what comes from elsewhere."""

from collections.abc import Callable, Collection, Mapping, Sequence

from attrs import frozen

from smfd.model.directory import Domain
from smfd.model.envelope import Envelope
from smfd.model.rule import Addressee
from smfd.model.transaction import Transaction
from smfd.model.verdict import Verdict
from smfd.net.conclusions import Conclusions
from smfd.policy.ruled import Ruled
from smfd.scan.pool import Pool
from smfd.smtpd.custody import Custody
from smfd.smtpd.house_rules import UNRULED, HouseRules, led_by
from smfd.smtpd.notices import Notices
from smfd.smtpd.recipients import Ends, Recipients
from smfd.store.directory import Directory
from smfd.store.directory_policies import Policies

#: Letters that are remembered, not to be written again.
TOLD = 10_000


@frozen
class Judged:
    """
    A message on which everything was said.

    @ivar domains: those of its recipients that are ours.
    @ivar ruled: what the rules said.
    """

    transaction: Transaction
    verdict: Verdict
    domains: Mapping[str, Domain]
    ruled: Ruled = UNRULED


@frozen
class Policed:
    """
    Has the rules look at what was judged.

    @ivar notices: write to whom rules name.
    """

    rules: HouseRules
    notices: Notices
    directory: Directory

    @classmethod
    def of(
        cls,
        custody: Custody,
        recipients: Recipients,
        hostname: str,
        ids: Callable[[], str],
        workers: Pool | None,
    ) -> "Policed":
        """With the rules of the directory, and letters of its own."""
        directory, clock = recipients.directory, recipients.clock
        told: Conclusions[tuple[str, str], bool]
        told = Conclusions(clock.seconds, TOLD)
        notices = Notices(custody, directory, recipients, hostname, ids, clock, told)
        rules = HouseRules(Policies(directory), workers)
        return cls(rules, notices, directory)

    async def judge(
        self,
        judged: Judged,
        named: Envelope,
        ends: Ends,
        together: Sequence[Collection[str]],
    ) -> Judged:
        """
        The same with what the rules say.

        @param named: whom the client named; C{ends}: where they lead.
        @param together: see L{Policy.decide <smfd.policy.decide.Policy.decide>}.
        """
        if not await self.rules.speak():
            return judged
        transaction, verdict = judged.transaction, judged.verdict
        led = led_by(named.recipients, ends.shares)
        names = [str(forward.address) for forward in transaction.envelope.recipients]
        to = [Addressee(name, "inbound", led.get(name, ())) for name in names]
        ruled = await self.rules.judge(transaction, to, verdict)
        if not ruled:
            return judged
        transaction, verdict = ruled.applied(transaction, verdict, together)
        domains = await domains_of(self.directory, transaction.envelope)
        return Judged(transaction, verdict, domains, ruled)

    def tell(self, judged: Judged) -> None:
        """Write to those whom the rules name."""
        if judged.ruled:
            self.rules.tell(
                judged.ruled, judged.transaction, judged.verdict, self.notices
            )


async def domains_of(directory: Directory, envelope: Envelope) -> Mapping[str, Domain]:
    """The hosted domains of the recipients, by name."""
    found = {}
    for name in {forward.address.domain for forward in envelope.recipients}:
        domain = await directory.domain(name)
        if domain is not None:
            found[name] = domain
    return found
