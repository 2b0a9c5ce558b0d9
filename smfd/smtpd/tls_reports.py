"""Reports for programs, as the settings have them: like any other mail of ours."""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen
from publicsuffixlist import PublicSuffixList
from twisted.application.service import IService

from smfd.config.schema import Config
from smfd.control.stock import Stock
from smfd.delivery.bounce_letter import Way
from smfd.delivery.dmarc_out import DMARCOut, Reporter
from smfd.delivery.tls_reports import Submitter, TLSReports
from smfd.format.received import delivered
from smfd.format.report_letter import ReportLetter
from smfd.model.entry import REMOTE, Asked, Entry, Recipient
from smfd.model.record import Record, of_ours
from smfd.model.transaction import Body, Flow
from smfd.smtpd.accept import Acceptance
from smfd.smtpd.reports import Post, bounces
from smfd.store.dmarc_tally import DMARCTally
from smfd.store.ledger import FILE
from smfd.store.search_index import LedgerRecords


@frozen
class Sending:
    """
    Has letters taken and signed.

    @ivar ids: makes the ids of messages.
    """

    post: Post
    ids: Callable[[], str]

    async def send(self, letter: ReportLetter[Any], octets: bytes) -> None:
        """
        Make it ours.

        @raise Exception: it could not be kept; nothing of it was.
        """
        ways = await self.post.ways(letter.recipient)
        if ways:
            await self.post.keep(_entry(letter, octets, self.ids(), ways[0]), ())


def _entry(letter: ReportLetter[Any], octets: bytes, name: str, way: Way) -> Entry:
    local = way.destination == "maildir"
    recipient = Recipient(
        1,
        way.address,
        way.destination,
        reason="a report that its domain asks for",
        top=delivered(letter.sender, way.address) if local else b"",
        # Whatever becomes of it, nobody waits for it.
        notify="NEVER",
    )
    return Entry(
        name,
        letter.at,
        letter.sender,
        Body(len(octets), octets),
        b"",
        (),
        (recipient,),
        _record(letter, len(octets), name, way),
        asked=Asked(despite_tls=letter.despite_tls),
    )


def _record(letter: ReportLetter[Any], size: int, name: str, way: Way) -> Record:
    return of_ours(
        name,
        letter.at,
        (way.address,),
        f"about {letter.domain}",
        subject=letter.subject,
        author=letter.sender,
        message_id=f"<{letter.report.id}>",
        size=size,
        sender=letter.sender,
        flow=Flow.OUTBOUND if way.destination == REMOTE else Flow.LOCAL,
    )


def reports(
    config: Config,
    acceptance: Acceptance,
    stock: Stock,
    ids: Callable[[], str],
    reactor: Any,
) -> Iterator[IService]:
    """
    Who reports: to senders, and to domains on TLS and on DMARC, if we have
    addresses for it.
    """
    tls, file = stock.onward.tls, stock.reputation.file
    desk = stock.annex.desk("reports")
    yield bounces(config, acceptance, desk, ids, reactor)
    custody = acceptance.custody
    post = Post(custody, acceptance.recipients, acceptance.directory)
    send = Sending(post, ids).send
    author = config.reputation.reports_from
    if author:
        suffixes = PublicSuffixList()
        reporter = Reporter(
            author,
            config.hostname,
            lambda name: suffixes.privatesuffix(name) or name,
        )
        tally, records = DMARCTally(file), LedgerRecords(config.home / FILE).after
        yield DMARCOut(reactor, tally, records, tls.resolver, reporter, send)
    sender = config.tls_out.reports_from
    if sender:
        submitter = Submitter(sender, config.hostname)
        known = tls.tally, tls.resolver, tls.https
        yield TLSReports(reactor, *known, submitter, send, desk)
