"""Reports that came by mail are kept, if they are about us."""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.control.report_mail import proven_sender
from smfd.format.dmarc_report import report_of
from smfd.format.tlsrpt import Outcome, TLSReport, read_report
from smfd.store.dmarc_reports import DMARCReports
from smfd.store.tls_received import TLSReceived

#: Reports of a kind in one letter, and policies that one on TLS may be about.
_MOST, _POLICIES = 5, 20

#: Characters of a report on TLS.
_LONGEST = 250_000


@frozen
class ReceivedReports:
    """
    Takes what a worker read.

    @ivar is_hosted: whether a domain is ours.
    """

    dmarc: DMARCReports
    tls: TLSReceived
    is_hosted: Callable[[str], Deferred[bool]]
    clock: IReactorTime

    _log = Logger()

    async def take(self, said: Any) -> None:
        """
        Keep the reports of a letter.

        @raise ValueError: something in it is none.
        """
        if not isinstance(said, dict):
            raise _nonsense()
        sender, now = proven_sender(said), self.clock.seconds()
        for report, outcome in _on_tls(said):
            if await self._is_ours(outcome.domain.lower()):
                await self.tls.put(report, outcome, sender, now)
        for one in map(report_of, _listed(said, "reports")):
            if await self._is_ours(one.domain):
                await self.dmarc.put(one, sender, now)
        wrong = _listed(said, "wrong")
        if wrong:
            raise ValueError(str(wrong[0])[:200])

    async def _is_ours(self, domain: str) -> bool:
        hosted = await self.is_hosted(domain)
        if not hosted:
            self._log.info(
                "A report is about {domain}, which is not ours", domain=domain
            )
        return hosted


def _on_tls(said: dict[str, Any]) -> Iterator[tuple[TLSReport, Outcome]]:
    """What each says of each of its policies."""
    for text in _listed(said, "tls"):
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise _nonsense()
        report = read_report(text.encode())
        for outcome in report.outcomes[:_POLICIES]:
            yield report, outcome


def _listed(said: dict[str, Any], name: str) -> list[Any]:
    """What there is of a kind."""
    found = said.get(name, [])
    if not isinstance(found, list):
        raise _nonsense()
    return found[:_MOST]


def _nonsense() -> ValueError:
    return ValueError("a worker answers nonsense")
