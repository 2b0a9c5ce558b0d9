"""Why another server did not take a message, as people ask for it."""

from enum import Enum

from attrs import frozen


class Kind(Enum):
    """What it was."""

    UNKNOWN_RECIPIENT = "unknown_recipient"
    MAILBOX_FULL = "mailbox_full"
    CONTENT = "content"
    POLICY = "policy"
    REPUTATION_ADDRESS = "reputation_address"
    REPUTATION_DOMAIN = "reputation_domain"
    AUTHENTICATION = "authentication"
    RATE = "rate"
    GREYLISTING = "greylisting"
    TLS = "tls"
    DNS = "dns"
    SERVER = "server"
    SIZE = "size"
    OTHER = "other"


class About(Enum):
    """Whose it is to mend."""

    US = "us"
    RECIPIENT = "recipient"
    CONTENT = "content"
    THEM = "them"


@frozen
class Cause:
    """
    Why, and what to do.

    @ivar permanent: they do not want to see it again.
    @ivar advice: what to do next, for a postmaster; a sentence or two.
    @ivar slow_down: to send them less for a while is part of the cure.
    """

    kind: Kind
    about: About
    permanent: bool
    advice: str
    slow_down: bool = False
