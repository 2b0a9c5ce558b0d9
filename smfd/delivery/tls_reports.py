"""
Domains that want to know are told, once a day, what came of TLS with them.

Standards: RFC 8460 §3, §4.1, §5.
"""

import io
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from attrs import frozen
from twisted.logger import Logger

from smfd.delivery.tls_tally import Tally
from smfd.format.tlsrpt import TLSReport
from smfd.format.tlsrpt_letter import TLSLetter
from smfd.interfaces import IHands
from smfd.net.dns import DNSTrouble, Lookup
from smfd.net.https import HTTPS, NoPage
from smfd.policy.report_days import Day, due
from smfd.policy.tlsrpt import read_rua
from smfd.store.rounds import Recurring, Rounds

#: Seconds between two rounds, and what one of them does.
ROUND, SOME = 600.0, 200

#: RFC 8460 §4.1: seconds for which it is tried to send a report.
PATIENCE = 24 * 3600.0

#: Has a letter sent: what it is, and the whole message.
Send = Callable[[TLSLetter, bytes], Awaitable[object]]


@frozen
class Submitter:
    """
    Who reports.

    @ivar sender: the address that letters come from; its domain signs them.
    @ivar name: whom people ask.
    """

    sender: str
    name: str

    @property
    def domain(self) -> str:
        """Whose report it is."""
        return self.sender.rpartition("@")[2]


class TLSReports(Recurring):
    """Sends the reports on the days that are over."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        tally: Tally,
        resolver: Lookup,
        https: HTTPS,
        submitter: Submitter,
        send: Send,
        hands: IHands,
    ) -> None:
        """
        @param hands: find what is due, and write letters.
        """
        self._reactor = reactor
        self._tally = tally
        self._resolver = resolver
        self._https = https
        self._submitter = submitter
        self._send = send
        self._hands = hands
        self.rounds = Rounds(self.round, reactor, ROUND, "reports on TLS wait")

    async def round(self) -> None:
        """Send what is due; what cannot be sent now is tried again."""
        now = self._reactor.seconds()
        days: list[Day] = await self._hands.run(due, self._tally.keys, now, SOME)
        for day in days:
            if not self.running:
                return
            last = now - day.end > PATIENCE
            if await self._reported(day) or last:
                self._tally.drop(day)

    async def _reported(self, day: Day) -> bool:
        """Whether nothing is left to be done of a day."""
        try:
            answer = await self._resolver.lookup(f"_smtp._tls.{day.domain}", "TXT")
        except DNSTrouble:
            return False
        report = self._report(day)
        sent = [
            await self._sent(day, report, where) for where in read_rua(answer.records)
        ]
        # One who has it is enough: nobody wants it twice.
        return any(sent) or not sent

    def _report(self, day: Day) -> TLSReport:
        submitter = self._submitter
        known = f"{day.key} {submitter.domain}".encode()
        name = f"{day.number}-{sha256(known).hexdigest()[:20]}@{submitter.domain}"
        outcomes = self._tally.outcomes(day)
        begin, end = day.begin, day.end
        return TLSReport(submitter.name, submitter.sender, name, begin, end, outcomes)

    async def _sent(self, day: Day, report: TLSReport, where: str) -> bool:
        try:
            if where.startswith("https:"):
                await self._post(where, report)
            else:
                await self._mail(day, report, where)
        except Exception as error:
            why = error if isinstance(error, NoPage) else type(error).__name__
            log = "no report on TLS to {where} for now: {why}"
            self._log.info(log, where=where, why=why)
            return False
        return True

    async def _post(self, where: str, report: TLSReport) -> None:
        body = io.BytesIO(await self._hands.run(report.packed))
        page = await self._https.post(where, body, "application/tlsrpt+gzip")
        if not 200 <= page.code < 300:
            raise NoPage(f"the answer is {page.code}")

    async def _mail(self, day: Day, report: TLSReport, where: str) -> None:
        submitter, now = self._submitter, self._reactor.seconds()
        names = submitter.sender, where, submitter.domain, day.domain
        letter = TLSLetter(*names, report, now)
        await self._send(letter, await self._hands.run(letter.written))
