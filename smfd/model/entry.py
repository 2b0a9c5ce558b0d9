"""What the ledger answers for: a message and the recipients still due."""

from enum import Enum

from attrs import field, frozen

from smfd.model.record import Record
from smfd.model.transaction import Body

#: What names one recipient of one entry: its id, and his number in it.
Key = tuple[str, int]

#: Where the mail of a domain goes, by its kind.
DESTINATIONS = {"local": "maildir", "lmtp": "lmtp", "relay": "relay"}

#: Where the mail for all other domains goes.
REMOTE = "remote"

#: Destinations that are other servers: their mail is scheduled by site.
FAR = frozenset({"lmtp", "relay", REMOTE})

#: Destinations behind which others go on with the message.
_FURTHER = frozenset({"relay", REMOTE})


def site_of(address: str) -> str:
    """Where a recipient is at home: the domain, in lower case."""
    return address.rpartition("@")[2].lower()


class State(Enum):
    """Where one recipient of an entry stands."""

    DUE = "due"
    SUSPENDED = "suspended"
    DELIVERED = "delivered"
    HELD = "held"
    RELEASED = "released"
    DELETED = "deleted"
    FAILED = "failed"
    CORRUPT = "corrupt"


@frozen(slots=False)
class Asked:
    """
    How a message wants to be treated on its way; most of it came with MAIL and
    is said again to the next server.

    @ivar ret: "FULL", "HDRS" or "" (RFC 3461 §4.3).
    @ivar envid: the client's own name for the message (RFC 3461 §4.4), or "".
    @ivar body: "7BIT", "8BITMIME" or "BINARYMIME" (RFC 6152, RFC 3030).
    @ivar smtputf8: the message is internationalized (RFC 6531).
    @ivar despite_tls: it must arrive whatever is wrong with TLS there, for
        that is what it tells of (RFC 8460 §3).
    """

    ret: str = ""
    envid: str = ""
    body: str = "7BIT"
    smtputf8: bool = False
    despite_tls: bool = False


#: What almost every message comes with.
NOTHING = Asked()


@frozen(slots=False)
class Recipient:
    """
    One recipient of an entry.

    @ivar number: its place in the entry, from 1; with the entry's id it names
        files, so that doing a thing again is harmless.
    @ivar destination: "maildir", "lmtp", "relay", "remote" or "quarantine":
        the name of an L{IDestination <smfd.interfaces.IDestination>}.
    @ivar category: see L{Fate <smfd.model.verdict.Fate>}.
    @ivar top: header lines for this recipient only, CRLF ended, put above all.
    @ivar keeper: the hosted domain whose quarantine holds it, if it is held:
        the recipient's own, or the sender's where the recipient is not ours.
    @ivar notify: when the sender wants to hear of it (RFC 3461 §4.1), with
        commas: "SUCCESS,FAILURE"; "NEVER"; "" is the default.
    @ivar orcpt: the recipient as he was first named (RFC 3461 §4.2):
        "rfc822;user@example.org"; or "".
    """

    number: int
    address: str
    destination: str
    category: str = "clean"
    reason: str = ""
    score: float | None = None
    top: bytes = b""
    keeper: str = field(kw_only=True)
    notify: str = field(default="", kw_only=True)
    orcpt: str = field(default="", kw_only=True)

    @keeper.default
    def _own(self) -> str:
        return self.address.rpartition("@")[2]

    @property
    def site(self) -> str:
        """The domain whose server takes it; "" when it stays with us."""
        return site_of(self.address) if self.destination in FAR else ""


@frozen(slots=False)
class Entry:
    """
    A message that is ours, or is about to be.

    @ivar top: trace header lines for every recipient, CRLF ended.
    @ivar cuts: ranges (start, end) of the body that are left out when it is
        delivered: header fields that only we may write.  Ordered, disjoint.
    @ivar recipients: those that go somewhere; none for a refused message,
        whose entry is only its record.
    @ivar account: the login of who handed it in, or "".
    """

    id: str
    received: float
    sender: str
    body: Body
    top: bytes
    cuts: tuple[tuple[int, int], ...]
    recipients: tuple[Recipient, ...]
    record: Record
    account: str = ""
    asked: Asked = NOTHING

    def consignments(self, attempts: int = 0) -> "tuple[Consignment, ...]":
        """Each recipient's share; C{attempts} is that of all of them."""
        return tuple(
            Consignment(
                self.id,
                self.received,
                self.sender,
                self.body,
                self.top,
                self.cuts,
                recipient,
                attempts,
                self.account,
                self.asked,
            )
            for recipient in self.recipients
        )


@frozen(slots=False)
class Consignment:
    """
    One recipient's share of an entry, on its way to a destination.

    @ivar attempts: how often it may have been tried already, wholly or in
        part; when not 0 the destination looks first whether it is there.
    """

    entry_id: str
    received: float
    sender: str
    body: Body
    top: bytes
    cuts: tuple[tuple[int, int], ...]
    recipient: Recipient
    attempts: int = 0
    account: str = ""
    asked: Asked = NOTHING

    @property
    def key(self) -> Key:
        """No other consignment has it."""
        return self.entry_id, self.recipient.number

    @property
    def octets(self) -> int:
        """Those of its body that are in memory."""
        return len(self.body.data or b"")

    def outcome(
        self,
        state: State,
        detail: str = "",
        next_try: float = 0.0,
        category: str = "",
    ) -> "Outcome":
        """What became of it."""
        number = self.recipient.number
        notice = self._notice(state) if self.sender else ""
        return Outcome(
            self.entry_id, number, state, detail, next_try, category, notice=notice
        )

    def _notice(self, state: State) -> str:
        """
        What the sender has to be told (RFC 3461 §5.2).

        Of what fails for ever here we know that one of our users sent it; to
        others nothing is sent unasked.
        """
        to = self.recipient
        if state is State.DELIVERED and "SUCCESS" in to.notify:
            return "relayed" if to.destination in _FURTHER else "delivered"
        if state is State.FAILED and (to.destination == REMOTE or self.account):
            return "failed" if not to.notify or "FAILURE" in to.notify else ""
        return ""


@frozen(slots=False)
class Outcome:
    """
    What became of a consignment.

    @ivar state: DELIVERED or HELD when it is done and synced, DUE to try
        again, FAILED for ever, CORRUPT when what we have is damaged.
    @ivar detail: where it is (a path relative to the home), or why not.
    @ivar next_try: when DUE: not before, seconds since the epoch; 0 leaves
        it to the runner.  Of another server: none of its mail before that.
    @ivar category: when DUE: it goes to the quarantine from now on, as this
        category, with the detail as the reason.
    @ivar of_site: it says something of the server and nothing of this
        recipient: nobody there, or nobody served now.
    @ivar notice: what the sender is to be told: see L{Notice
        <smfd.model.notice.Notice>}; "" when nothing.
    """

    entry_id: str
    number: int
    state: State
    detail: str = ""
    next_try: float = 0.0
    category: str = ""
    of_site: bool = False
    notice: str = ""

    @property
    def key(self) -> Key:
        """That of its consignment."""
        return self.entry_id, self.number
