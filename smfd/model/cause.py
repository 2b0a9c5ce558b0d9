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

    @property
    def words(self) -> str:
        """It in a few words, behind a colon or a number."""
        return _WORDS[self]


_WORDS = {
    Kind.UNKNOWN_RECIPIENT: "addresses that do not exist",
    Kind.MAILBOX_FULL: "full mailboxes",
    Kind.CONTENT: "taken for spam, or for dangerous",
    Kind.POLICY: "against a rule of theirs",
    Kind.REPUTATION_ADDRESS: "our address has a bad name",
    Kind.REPUTATION_DOMAIN: "our domain has a bad name",
    Kind.AUTHENTICATION: "SPF, DKIM or DMARC did not prove the sender",
    Kind.RATE: "too much at once",
    Kind.GREYLISTING: "asked to come again (greylisting)",
    Kind.TLS: "TLS failed",
    Kind.DNS: "something wrong in the DNS",
    Kind.SERVER: "trouble at their server",
    Kind.SIZE: "too large",
    Kind.OTHER: "something else",
}


def kind_of(name: str) -> Kind:
    """The kind of a name; OTHER for one that is no more, or not yet."""
    return next((kind for kind in Kind if kind.value == name), Kind.OTHER)


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
