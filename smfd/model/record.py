"""The decision record: everything that was seen and done, and why."""

from collections.abc import Sequence

from attrs import field, frozen

from smfd.model.finding import Finding
from smfd.model.transaction import Flow
from smfd.model.verdict import Disposition, Fate


@frozen(slots=False)
class Record:
    """
    One message, or one refusal, for ever after.

    @ivar id: the one in the SMTP reply and in the log.
    @ivar kind: "message", or "refusal" for what never became one.
    @ivar time: when it began, seconds since the epoch.
    @ivar verdict: the category of the message, or "refused" or "deferred".
    @ivar reply: what the client was told.
    @ivar ms: how long the judgement took, milliseconds.
    @ivar count: how many refusals this one stands for; it is the first of them,
        and its time is when they were counted.
    @ivar named: whom the client named where the recipients are others: aliases.
    @ivar account: who had logged in, or whose login was refused; or "".
    @ivar certificate: the client's, see L{Session <smfd.model.session.Session>}.
    """

    id: str
    kind: str
    time: float
    flow: str
    client: str
    helo: str
    tls: str
    sender: str
    recipients: tuple[str, ...]
    verdict: str
    reply: str
    subject: str = ""
    header_from: str = ""
    message_id: str = ""
    size: int = 0
    score: float | None = None
    ms: float = 0.0
    findings: tuple[Finding, ...] = ()
    fates: tuple[Fate, ...] = field(default=())
    certificate: str = ""
    named: tuple[str, ...] = ()
    account: str = ""
    count: int = 1

    @property
    def unknown(self) -> bool:
        """Whether it was refused because no such mailbox is here."""
        # RFC 3463 §3.2: bad destination mailbox address.
        return self.reply.startswith("550 5.1.1 ")


def of_ours(
    id: str,  # noqa: A002 - as in the record
    time: float,
    recipients: Sequence[str],
    why: str,
    *,
    subject: str,
    author: str,
    message_id: str,
    size: int,
    sender: str = "",
    flow: Flow = Flow.LOCAL,
) -> Record:
    """
    The record of a letter that the house wrote itself: nobody brought it.

    @param why: what it is, or of what it tells.
    @param author: whom its From names.
    @param message_id: with its brackets.
    """
    return Record(
        id=id,
        kind="message",
        time=time,
        flow=flow.value,
        client="",
        helo="",
        tls="",
        sender=sender,
        recipients=tuple(recipients),
        verdict="clean",
        reply="",
        subject=subject,
        header_from=author,
        message_id=message_id,
        size=size,
        fates=tuple(Fate(r, Disposition.DELIVER, "clean", why) for r in recipients),
    )
