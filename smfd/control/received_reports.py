"""Reports that came by mail are kept, if they are about us."""

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smfd.control.report_mail import proven_sender
from smfd.format.dmarc_report import Report, report_of
from smfd.format.tlsrpt import TLSReport, read_report
from smfd.interfaces import IHands
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
    @ivar hands: read the words once more, which takes a while when they are many.
    """

    dmarc: DMARCReports
    tls: TLSReceived
    is_hosted: Callable[[str], Deferred[bool]]
    clock: IReactorTime
    hands: IHands

    _log = Logger()

    async def take(self, said: Any) -> None:
        """
        Keep the reports of a letter.

        @raise ValueError: something in it is none.
        """
        read: _Read = await self.hands.run(_read, said)
        sender, now = proven_sender(said), self.clock.seconds()
        for report in read.tls:
            for outcome in report.outcomes[:_POLICIES]:
                if await self._is_ours(outcome.domain.lower()):
                    await self.tls.put(report, outcome, sender, now)
        for one in read.dmarc:
            if await self._is_ours(one.domain):
                await self.dmarc.put(one, sender, now)
        for why in read.wrong:
            raise ValueError(why[:200])

    async def _is_ours(self, domain: str) -> bool:
        hosted = await self.is_hosted(domain)
        if not hosted:
            self._log.info(
                "A report is about {domain}, which is not ours", domain=domain
            )
        return hosted


@define
class _Read:
    """What a worker read; C{wrong}: why something of it is none."""

    tls: list[TLSReport] = field(factory=list)
    dmarc: list[Report] = field(factory=list)
    wrong: list[str] = field(factory=list)


def _read(said: Any) -> _Read:
    """Read its words; one report that is none is no other's trouble."""
    if not isinstance(said, dict):
        raise _nonsense()
    read = _Read()
    for words in _listed(said, "tls"):
        try:
            read.tls.append(_on_tls(words))
        except ValueError as why:
            read.wrong.append(str(why))
    for words in _listed(said, "reports"):
        try:
            read.dmarc.append(report_of(words))
        except ValueError as why:
            read.wrong.append(str(why))
    read.wrong += map(str, _listed(said, "wrong"))
    return read


def _on_tls(words: object) -> TLSReport:
    if not isinstance(words, str) or len(words) > _LONGEST:
        raise _nonsense()
    return read_report(words.encode())


def _listed(said: dict[str, Any], name: str) -> list[Any]:
    """What there is of a kind."""
    found = said.get(name, [])
    if not isinstance(found, list):
        raise _nonsense()
    return found[:_MOST]


def _nonsense() -> ValueError:
    return ValueError("a worker answers nonsense")
