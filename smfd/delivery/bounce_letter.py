"""
One report, as the ledger takes it: what became of a message, for its sender.

Standards: RFC 3461 §6, RFC 3464, RFC 5321 §4.5.5.
"""

import re
from collections.abc import Sequence

from attrs import evolve, frozen

from smfd.format.dsn import Original, Report, dsn
from smfd.format.header import read_header
from smfd.format.received import delivered
from smfd.format.words import decode_words
from smfd.model.entry import REMOTE, Asked, Entry, Recipient
from smfd.model.notice import Notice, Told
from smfd.model.record import Record, of_ours
from smfd.model.said import Said, parse_said
from smfd.model.transaction import Body, Flow
from smfd.policy.causes import cause
from smfd.proto.reply import Malformed, Reply
from smfd.proto.xtext import decode, original

#: What stands before the last words on what was tried for too long.
_EXPIRED = re.compile(r"\Anot delivered in [^:]{1,40}: ")

#: RFC 3463 §3.1: nothing more is known.
_STATUS = {"failed": "5.0.0", "delayed": "4.0.0"}

_MORE = (
    "Many of your messages met with trouble within this hour: you get no more "
    "reports before it is over."
)


@frozen
class Way:
    """
    Where a report goes.

    @ivar destination: as in L{Recipient <smfd.model.entry.Recipient>}.
    """

    address: str
    destination: str


@frozen
class Letter:
    """
    One report.

    @ivar ways: where it goes, at least one; the sender's own first.
    @ivar hostname: what we call ourselves.
    @ivar name: the id it is to have.
    @ivar now: seconds since the epoch.
    @ivar lifetime: seconds for which a message is tried.
    """

    notice: Notice
    ways: Sequence[Way]
    hostname: str
    name: str
    now: float
    lifetime: float

    def entry(self, last: bool) -> Entry:
        """
        The report, ours like any other message.

        @param last: the sender gets no more for now.
        """
        notice = self.notice
        data = dsn(
            hostname=self.hostname,
            postmaster=self._postmaster,
            id=self.name,
            at=self.now,
            original=Original(
                notice.entry_id,
                notice.sender,
                notice.received,
                notice.header,
                self._body,
                envid=_envid(notice.asked.envid),
            ),
            reports=self._reports,
            remark=_MORE if last else "",
            cause=_cause,
        )
        return Entry(
            self.name,
            self.now,
            # RFC 5321 §4.5.5: nobody answers a report.
            "",
            Body(len(data), data),
            b"",
            (),
            tuple(_recipient(n, way) for n, way in enumerate(self.ways, 1)),
            self._record(data),
            asked=Asked(
                body="7BIT" if data.isascii() else "8BITMIME",
                smtputf8=not notice.sender.isascii(),
            ),
        )

    @property
    def _body(self) -> bytes | None:
        """
        Only a failure brings it back (RFC 3461 §4.3), and only to one of our
        users: what a stranger wrote would go to whomever he named.
        """
        failed = any(told.kind == "failed" for told in self.notice.told)
        return self.notice.body if failed and self.notice.account else None

    @property
    def _postmaster(self) -> str:
        """Whom a user of ours knows; others know our name only."""
        ours = self.ways[0].destination != REMOTE
        domain = self.notice.sender.rpartition("@")[2] if ours else self.hostname
        return f"postmaster@{domain}"

    @property
    def _until(self) -> float:
        return self.notice.received + self.lifetime

    @property
    def _reports(self) -> list[Report]:
        """One for each whom the sender knows: those behind an alias are one."""
        found: dict[tuple[str, str], Report] = {}
        for told in self.notice.told:
            report = self._report(told)
            found.setdefault((report.address.lower(), report.action), report)
        return list(found.values())

    def _report(self, told: Told) -> Report:
        said = _said(told)
        named = original(told.orcpt) if told.orcpt else None
        address = told.address
        if named is not None and told.destination != REMOTE:
            # RFC 3461 §5.2.7.3: who is behind an alias of ours is its owner's
            # affair; the sender reads the name that he wrote.
            address = named[1] or address
        return Report(
            address,
            told.kind,
            told.time,
            said.status,
            said.code,
            said.text,
            said.host,
            self._until if told.kind == "delayed" else 0.0,
            named,
        )

    def _record(self, data: bytes) -> Record:
        to = tuple(way.address for way in self.ways)
        out = any(way.destination == REMOTE for way in self.ways)
        header = read_header(data[:4000])
        return of_ours(
            self.name,
            self.now,
            to,
            f"what became of {self.notice.entry_id}",
            subject=decode_words(header.first("subject"), 1000),
            author=self._postmaster,
            message_id=f"<{self.name}@{self.hostname}>",
            size=len(data),
            flow=Flow.OUTBOUND if out else Flow.LOCAL,
        )


def _recipient(number: int, way: Way) -> Recipient:
    local = way.destination == "maildir"
    return Recipient(
        number,
        way.address,
        way.destination,
        reason="a report",
        top=delivered("", way.address) if local else b"",
        # RFC 3461 §6.1: whatever becomes of a report, nobody is told.
        notify="NEVER",
    )


def _said(told: Told) -> Said:
    """The last words on a recipient, with a status in any case."""
    said = parse_said(_EXPIRED.sub("", told.detail, count=1))
    # How long is ours; the rest somebody said.
    said = evolve(said, text=_EXPIRED.sub("", said.text, count=1))
    if told.kind in ("delivered", "relayed"):
        # RFC 3464 §2.3.4: 2.X.X, whatever was said.  Where it lies in our house
        # is nobody's business.
        return evolve(said, status="2.0.0", text=said.text if said.code else "")
    return said if said.status else evolve(said, status=_STATUS[told.kind])


def _cause(report: Report) -> str:
    """What the words of a refusal tell; "" where nobody replied."""
    if not report.code:
        return ""
    return cause(Reply(report.code, report.status, (report.text,))).kind.value


def _envid(envid: str) -> str:
    """As the sender wrote it; RFC 3464 §2.2.1."""
    try:
        return decode(envid) if envid else ""
    except Malformed:
        return ""
