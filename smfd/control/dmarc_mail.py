"""DMARC reports that came by mail are kept, if they are about us."""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.control.report_mail import proven_sender
from smfd.format.dmarc_report import report_of
from smfd.store.dmarc_reports import DMARCReports

#: Reports of one letter.
_MOST = 5


@frozen
class DMARCMail:
    """
    Takes what a worker read.

    @ivar is_hosted: whether a domain is ours.
    """

    reports: DMARCReports
    is_hosted: Callable[[str], Deferred[bool]]
    clock: IReactorTime

    _log = Logger()

    async def take(self, said: Any) -> None:
        """
        Keep the reports of a letter.

        @raise ValueError: they are none.
        """
        found = said.get("reports") if isinstance(said, dict) else None
        if not isinstance(found, list):
            raise ValueError("a worker answers nonsense")
        for words in found[:_MOST]:
            report = report_of(words)
            if not await self.is_hosted(report.domain):
                self._log.info(
                    "A DMARC report is about {domain}, which is not ours",
                    domain=report.domain,
                )
                continue
            now = self.clock.seconds()
            await self.reports.put(report, proven_sender(said), now)
        for why in said.get("wrong") or ():
            raise ValueError(str(why)[:200])
