"""Reports to senders, as the settings have them: like any other mail of ours."""

from collections.abc import Callable, Sequence

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from smfd.config.schema import Config
from smfd.delivery.bounce import Bounces, Terms
from smfd.delivery.bounce_letter import Way
from smfd.interfaces import IHands
from smfd.model.entry import DESTINATIONS, REMOTE, Entry
from smfd.model.notice import NoticeKey
from smfd.proto.address import Address, reread
from smfd.smtpd.accept import Acceptance
from smfd.smtpd.custody import Custody
from smfd.smtpd.recipients import Recipients
from smfd.store.directory import Directory


@frozen
class Post:
    """Finds the mailboxes of senders, and has reports taken and signed."""

    custody: Custody
    recipients: Recipients
    directory: Directory

    async def ways(self, address: str) -> Sequence[Way]:
        """Where mail to an address goes; aliases are followed."""
        ends = await self.recipients.behind(reread(address))
        return [await self._way(end) for end in ends]

    async def keep(self, entry: Entry, answers: Sequence[NoticeKey]) -> None:
        """Make it ours, instead of the notices that it says."""
        await self.custody.commit(await self.custody.signed(entry), answers)

    async def _way(self, address: Address) -> Way:
        domain = await self.directory.domain(address.domain)
        return Way(str(address), DESTINATIONS[domain.kind] if domain else REMOTE)


def bounces(
    config: Config,
    acceptance: Acceptance,
    hands: IHands,
    ids: Callable[[], str],
    clock: IReactorTime,
) -> Bounces:
    """
    Who writes reports.

    @param hands: see L{Bounces}.
    @param ids: makes the ids of messages.
    """
    custody, settings = acceptance.custody, config.bounce
    post = Post(custody, acceptance.recipients, acceptance.directory)
    terms = Terms(
        settings.per_hour,
        settings.gather,
        settings.patience,
        config.queue.lifetime_days * 86400.0,
        settings.copies,
    )
    ledger, name = custody.ledger, config.hostname
    return Bounces(ledger, post.ways, post.keep, hands, name, ids, clock, terms)
