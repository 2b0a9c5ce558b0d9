"""The envelope of one mail transaction, RFC 5321 §2.3.1.  It dies with RSET."""

from attrs import frozen

from smfd.proto.address import Address


@frozen(slots=False)
class Forward:
    """
    One forward-path and what came with it.

    @ivar notify: the DSN conditions asked for, empty for the default
        (RFC 3461 §4.1).
    @ivar orcpt: the original recipient as given (RFC 3461 §4.2), or "".
    @ivar tagged: the mailbox as it was written, with its +tag, or "".
    @ivar beyond: where in the world its mail is forwarded to.
    @ivar keep: it ends here, too.
    """

    address: Address
    notify: tuple[str, ...] = ()
    orcpt: str = ""
    tagged: str = ""
    beyond: tuple[str, ...] = ()
    keep: bool = True


@frozen(slots=False)
class Envelope:
    """
    Sender, recipients, and the parameters of MAIL.

    @ivar id: names the transaction, from MAIL on: in the replies, the log,
        the spool and the record.
    @ivar sender: the reverse-path; None is the null path C{<>}.
    @ivar size: the SIZE the client announced (RFC 1870), or None.
    @ivar body: "7BIT", "8BITMIME" or "BINARYMIME".
    @ivar smtputf8: the message is internationalized (RFC 6531).
    @ivar ret: "FULL", "HDRS" or "" (RFC 3461 §4.3).
    @ivar envid: the client's own name for the message (RFC 3461 §4.4), or "".
    @ivar named: whom the client named where the recipients are others: aliases.
    """

    id: str
    sender: Address | None
    recipients: tuple[Forward, ...] = ()
    size: int | None = None
    body: str = "7BIT"
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    named: tuple[str, ...] = ()

    def to(self, *recipients: Forward) -> "Envelope":
        """The same for other recipients.  (Twice as fast as C{attrs.evolve}.)"""
        return Envelope(
            self.id,
            self.sender,
            recipients,
            self.size,
            self.body,
            self.smtputf8,
            self.ret,
            self.envid,
            self.named,
        )
