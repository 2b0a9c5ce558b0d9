"""Reports on TLS, as the settings have them: like any other mail of ours."""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen
from twisted.application.service import IService

from smfd.config.schema import Config
from smfd.delivery.bounce_letter import Way
from smfd.delivery.tls_out import TLSOut
from smfd.delivery.tls_reports import Submitter, TLSReports
from smfd.format.received import delivered
from smfd.format.tlsrpt_letter import TLSLetter
from smfd.model.entry import REMOTE, Entry, Recipient
from smfd.model.record import Record
from smfd.model.transaction import Body, Flow
from smfd.model.verdict import Disposition, Fate
from smfd.smtpd.accept import Acceptance
from smfd.smtpd.reports import Post, bounces


@frozen
class Sending:
    """
    Has letters taken and signed.

    @ivar ids: makes the ids of messages.
    """

    post: Post
    ids: Callable[[], str]

    async def send(self, letter: TLSLetter, octets: bytes) -> None:
        """
        Make it ours.

        @raise Exception: it could not be kept; nothing of it was.
        """
        ways = await self.post.ways(letter.recipient)
        if ways:
            await self.post.keep(_entry(letter, octets, self.ids(), ways[0]), ())


def _entry(letter: TLSLetter, octets: bytes, name: str, way: Way) -> Entry:
    local = way.destination == "maildir"
    recipient = Recipient(
        1,
        way.address,
        way.destination,
        reason="a report on TLS",
        top=delivered(letter.sender, way.address) if local else b"",
        # Whatever becomes of it, nobody waits for it.
        notify="NEVER",
    )
    flow = Flow.OUTBOUND if way.destination == REMOTE else Flow.LOCAL
    fate = Fate(way.address, Disposition.DELIVER, "clean", f"about {letter.domain}")
    record = Record(
        id=name,
        kind="message",
        time=letter.at,
        flow=flow.value,
        client="",
        helo="",
        tls="",
        sender=letter.sender,
        recipients=(way.address,),
        verdict="clean",
        reply="",
        subject=letter.subject,
        header_from=letter.sender,
        message_id=f"<{letter.report.id}>",
        size=len(octets),
        fates=(fate,),
    )
    body = Body(len(octets), octets)
    recipients = (recipient,)
    return Entry(name, letter.at, letter.sender, body, b"", (), recipients, record)


def reports(
    config: Config,
    acceptance: Acceptance,
    tls: TLSOut,
    ids: Callable[[], str],
    reactor: Any,
) -> Iterator[IService]:
    """Who reports: to senders, and to domains on TLS, if we have an address for it."""
    yield bounces(config, acceptance, ids, reactor)
    sender = config.tls_out.reports_from
    if sender:
        custody = acceptance.custody
        post = Post(custody, acceptance.recipients, acceptance.directory)
        submitter = Submitter(sender, config.hostname)
        send = Sending(post, ids).send
        yield TLSReports(reactor, tls.tally, tls.resolver, tls.https, submitter, send)
