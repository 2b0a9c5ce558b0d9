"""What a sender has still to be told of his message (RFC 3461)."""

from attrs import frozen

from smfd.model.entry import NOTHING, Asked

#: The entry, the recipient's number, and what is said of him.
NoticeKey = tuple[str, int, str]


@frozen
class Told:
    """
    One recipient, and what is to be said of him.

    @ivar kind: "failed", "delayed", "delivered", or "relayed": to a server
        that will tell nothing.
    @ivar time: when it was so, seconds since the epoch.
    @ivar detail: the last words about it.
    """

    number: int
    address: str
    kind: str
    time: float
    detail: str
    notify: str = ""
    orcpt: str = ""
    destination: str = ""


@frozen
class Notice:
    """
    All that is to be said of one message now.

    @ivar header: the message's header as we deliver it, to a stranger without
        our own trace fields; CRLF at each line, and without the empty line.
        What is beyond 64 KiB is cut off at a line's end.
    @ivar body: what follows the empty line, when the sender wants all of it
        back (RFC 3461 §4.3) and it is below 64 KiB; else None.
    @ivar trying: others of its recipients are just being tried.
    @ivar more: there is more to be said than is said here.
    """

    entry_id: str
    received: float
    sender: str
    header: bytes
    told: tuple[Told, ...]
    account: str = ""
    asked: Asked = NOTHING
    body: bytes | None = None
    trying: bool = False
    more: bool = False

    @property
    def keys(self) -> tuple[NoticeKey, ...]:
        """What the ledger forgets once it is said."""
        return tuple((self.entry_id, t.number, t.kind) for t in self.told)
