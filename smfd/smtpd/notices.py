"""
Letters from the house to its own people: what was held of what they sent.

They are ours like any other message: committed, delivered, in the records.
Nothing waits for them, and what goes wrong with one is for the log.
"""

from collections.abc import Callable, Sequence

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smfd.format.notice import letter
from smfd.format.received import delivered
from smfd.model.directory import Domain
from smfd.model.entry import DESTINATIONS, Entry, Recipient
from smfd.model.envelope import Forward
from smfd.model.record import of_ours
from smfd.model.transaction import Body
from smfd.net.conclusions import Conclusions
from smfd.policy.forwarded import with_forwards
from smfd.proto.address import Address
from smfd.smtpd.custody import Custody
from smfd.smtpd.recipients import Recipients
from smfd.store.directory import Directory
from smfd.store.ledger import LedgerTrouble

#: Seconds for which nobody is told the same again.
_QUIET = 3600.0


@frozen
class Notices:
    """
    Writes to people of ours, and not too often.

    @ivar ids: makes the ids of messages.
    @ivar told: what was said of late, and to whom.
    """

    custody: Custody
    directory: Directory
    recipients: Recipients
    hostname: str
    ids: Callable[[], str]
    clock: IReactorTime
    told: Conclusions[tuple[str, str], bool]

    _log = Logger()

    def send(self, to: Sequence[str], matter: str, subject: str, text: str) -> None:
        """
        Write to each, unless he was told of the like within the hour.

        @param to: addresses of ours; aliases are followed.
        @param matter: what it is about, in a word and a name.
        """
        for address in to:
            if self.told.get((address, matter)):
                continue
            # At once, or two are written while the first is under way.
            self.told.put((address, matter), True, self.clock.seconds() + _QUIET)
            d = Deferred.fromCoroutine(self._send(address, subject, text))
            d.addErrback(self._unsent, address, matter)

    def _unsent(self, failure: Failure, address: str, matter: str) -> None:
        # The next of the like is the first again.
        self.told.drop((address, matter))
        if failure.check(LedgerTrouble):
            # It stops just now, or has worse troubles.
            self._log.warn("{to} is not told: {why}", to=address, why=failure.value)
        else:
            self._log.failure("a notice was not sent", failure)

    async def _send(self, address: str, subject: str, text: str) -> None:
        local, _, name = address.rpartition("@")
        ends = await self.recipients.ends((Forward(Address(local, name)),), ())
        for end in ends.forwards:
            domain = await self.directory.domain(end.address.domain)
            if domain is not None:
                await self._keep(end, domain, subject, text)

    async def _keep(
        self, end: Forward, domain: Domain, subject: str, text: str
    ) -> None:
        name, now = self.ids(), self.clock.seconds()
        recipient = str(end.address)
        data = letter(
            hostname=self.hostname,
            recipient=recipient,
            subject=subject,
            text=text,
            id=name,
            at=now,
        )
        where = DESTINATIONS[domain.kind]
        why = "a notice of the house"
        record = of_ours(
            name,
            now,
            (recipient,),
            why,
            subject=subject,
            author=f"postmaster@{domain.name}",
            message_id=f"<{name}@{self.hostname}>",
            size=len(data),
        )
        top = delivered("", recipient) if where == "maildir" else b""
        to = Recipient(1, recipient, where, "clean", why, top=top)
        there = with_forwards((to,), (end,))
        entry = Entry(name, now, "", Body(len(data), data), b"", (), there, record)
        await self.custody.commit(await self.custody.signed(entry))
