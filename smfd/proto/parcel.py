"""
What goes out with a message: MAIL and RCPT as the other server understands them.

Standards: RFC 5321 §4.1.1, RFC 1870, RFC 3461 §4, RFC 6152, RFC 6531.
"""

from attrs import field, frozen

from smfd.proto.reply import Reply, reply

TOO_BIG = reply(552, "5.3.4", "it takes no message of that size")
NO_UTF8 = reply(553, "5.6.7", "it takes no address in UTF-8")
NO_UTF8_MAIL = reply(554, "5.6.7", "it takes no header in UTF-8")
BAD_ADDRESS = reply(553, "5.1.3", "the address cannot be written in a command")

#: Answers that nobody gave: what a server offers, or a command, says enough.
UNASKED = frozenset((TOO_BIG, NO_UTF8, NO_UTF8_MAIL, BAD_ADDRESS))


@frozen
class Skills:
    """
    What the other server offers.

    @ivar words: keyword and parameters of each extension, upper case.
    @ivar secure: TLS is to begin, or is on.
    """

    words: dict[str, str] = field(factory=dict)
    secure: bool = False

    @property
    def size(self) -> int:
        """RFC 1870 §4: the largest message; 0 when it is not said."""
        text = self.words.get("SIZE", "")
        return int(text) if text.isascii() and text.isdecimal() else 0

    @property
    def notifies(self) -> bool:
        """RFC 3461 §5.2: it tells the sender what he asked to be told."""
        return "DSN" in self.words

    @property
    def logins(self) -> tuple[str, ...]:
        """How one may log in (RFC 4954 §3)."""
        return tuple(self.words.get("AUTH", "").split())


@frozen
class Wish:
    """
    When the sender wants to hear of one recipient.

    @ivar notify: as in NOTIFY (RFC 3461 §4.1), with commas; "" is the default.
    @ivar orcpt: as in ORCPT (RFC 3461 §4.2), or "".
    """

    notify: str = ""
    orcpt: str = ""


@frozen
class Parcel:
    """
    What a transaction needs to know of a message.

    @ivar sender: "" is the null path.
    @ivar size: octets, without dot-stuffing.
    @ivar smtputf8: there is UTF-8 in its header (RFC 6531 §3.6).
    @ivar ret: "FULL", "HDRS" or "" (RFC 3461 §4.3).
    @ivar envid: as in ENVID (RFC 3461 §4.4), or "".
    @ivar wishes: one for each recipient; none where nothing was asked.
    """

    sender: str
    recipients: tuple[str, ...]
    size: int
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    wishes: tuple[Wish, ...] = ()


def impossible(parcel: Parcel, skills: Skills) -> Reply | None:
    """What need not be tried, for the server has said so."""
    if 0 < skills.size < parcel.size:
        return TOO_BIG
    paths = (parcel.sender, *parcel.recipients)
    if any(_unspeakable(path) for path in paths):
        return BAD_ADDRESS
    if "SMTPUTF8" in skills.words:
        return None
    # RFC 6531 §3.2: it must not be sent there.
    if not all(path.isascii() for path in paths):
        return NO_UTF8
    return NO_UTF8_MAIL if parcel.smtputf8 else None


def mail(parcel: Parcel, skills: Skills) -> bytes:
    """The MAIL command."""
    parts = [f"MAIL FROM:<{parcel.sender}>"]
    words = skills.words
    if "SIZE" in words and parcel.size:
        parts.append(f"SIZE={parcel.size}")
    if "8BITMIME" in words:
        # RFC 6152 §3: the message may have octets above 127, whatever its client
        # said of it; 7-bit ones are 8-bit ones as well.
        parts.append("BODY=8BITMIME")
    if _international(parcel):
        parts.append("SMTPUTF8")
    if skills.notifies:
        parts += _asked(RET=parcel.ret, ENVID=parcel.envid)
    return (" ".join(parts) + "\r\n").encode()


def rcpts(parcel: Parcel, skills: Skills) -> list[bytes]:
    """The RCPT commands, one for each recipient."""
    if not parcel.wishes or not skills.notifies:
        return [f"RCPT TO:<{address}>\r\n".encode() for address in parcel.recipients]
    return [
        _rcpt(address, wish)
        for address, wish in zip(parcel.recipients, parcel.wishes, strict=True)
    ]


def _rcpt(address: str, wish: Wish) -> bytes:
    asked = _asked(NOTIFY=wish.notify, ORCPT=_spelled(wish.orcpt))
    return (" ".join([f"RCPT TO:<{address}>", *asked]) + "\r\n").encode()


def _asked(**parameters: str) -> list[str]:
    """Those that are there, and can be said."""
    return [
        f"{keyword}={value}"
        for keyword, value in parameters.items()
        if value and value.isprintable() and " " not in value
    ]


def _spelled(orcpt: str) -> str:
    """RFC 6533 §3: as it may go everywhere, also where there is no SMTPUTF8."""
    if orcpt.isascii():
        return orcpt
    return "".join(c if c.isascii() else f"\\x{{{ord(c):02X}}}" for c in orcpt)


def _international(parcel: Parcel) -> bool:
    """RFC 6531 §3.4: whether it needs the parameter."""
    paths = (parcel.sender, *parcel.recipients)
    return parcel.smtputf8 or not all(path.isascii() for path in paths)


def _unspeakable(path: str) -> bool:
    """Whether it would end the command, or another argument begin in it."""
    return len(path) > 1000 or not path.isprintable()
