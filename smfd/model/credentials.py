"""What somebody can log in with."""

from attrs import field, frozen

#: Where an app password may be used.
SERVICES = ("submission", "imap", "pop3")


@frozen
class AppPassword:
    """
    A password of one program or device, beside that of the mailbox.

    @ivar id: its number, which what is typed begins with.
    @ivar services: where it is good, of L{SERVICES}.
    @ivar networks: from where, as CIDR; none: from anywhere.
    @ivar used: the day it was last good, seconds since the epoch, or None.
    @ivar password: the hash of what is typed behind the number.
    """

    id: int
    account: str
    name: str
    services: tuple[str, ...]
    networks: tuple[str, ...] = ()
    created: float = 0.0
    used: float | None = None
    password: str = field(default="", repr=False)


@frozen
class Credentials:
    """
    All that an account can log in with.

    @ivar password: the hash of the mailbox; "" for none.
    """

    account: str
    password: str = field(repr=False)
    apps: tuple[AppPassword, ...] = ()
