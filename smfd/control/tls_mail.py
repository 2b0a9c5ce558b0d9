"""Reports on TLS that came by mail are kept, if they are about us."""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.control.report_mail import proven_sender
from smfd.format.tlsrpt import read_report
from smfd.store.tls_received import TLSReceived

#: Reports of one letter, and policies of a report.
_MOST, _POLICIES = 5, 20

#: Octets of what a worker says of one.
_LONGEST = 250_000


@frozen
class TLSMail:
    """
    Takes what a worker read.

    @ivar is_hosted: whether a domain is ours.
    """

    received: TLSReceived
    is_hosted: Callable[[str], Deferred[bool]]
    clock: IReactorTime

    _log = Logger()

    async def take(self, said: Any) -> None:
        """
        Keep the reports of a letter.

        @raise ValueError: they are none.
        """
        found = said.get("tls") if isinstance(said, dict) else None
        for text in found[:_MOST] if isinstance(found, list) else ():
            if isinstance(text, str) and len(text) <= _LONGEST:
                await self._one(text, proven_sender(said))

    async def _one(self, text: str, sender: str) -> None:
        report = read_report(text.encode())
        for outcome in report.outcomes[:_POLICIES]:
            if await self.is_hosted(outcome.domain.lower()):
                now = self.clock.seconds()
                await self.received.put(report, outcome, sender, now)
            else:
                self._log.info(
                    "A report on TLS is about {domain}, which is not ours",
                    domain=outcome.domain,
                )
