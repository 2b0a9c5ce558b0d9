"""Domains, accounts and list entries, as the rest of the house sees them."""

from attrs import frozen


@frozen
class Domain:
    """
    A hosted domain.

    @ivar name: lower case A-labels.
    @ivar kind: "local": its mailboxes are here.
    @ivar threshold: the score at which mail is spam (S12); None takes the
        one of the settings.
    @ivar allow_unauthenticated: allow entries count for senders that proved
        nothing (C9, strict-seed mode).
    """

    name: str
    kind: str = "local"
    threshold: float | None = None
    allow_unauthenticated: bool = False


@frozen
class Account:
    """
    A mailbox of a hosted domain.

    @ivar address: C{local@domain}, lower case.
    @ivar password: the hash, or "" when nobody can log in.
    """

    address: str
    password: str = ""
    created: float = 0.0


@frozen
class ListEntry:
    """
    One allow or block entry (S7, S8, C8).

    @ivar id: its number.
    @ivar scope: an address, a domain, or "operator".
    @ivar allow: an allow entry; else it blocks.
    @ivar pattern: an address, a domain, or C{*@domain}, C{*.domain}.
    @ivar locked: an operator's entry that nobody below overrules.
    @ivar expires: seconds since the epoch, or None.
    """

    id: int
    scope: str
    allow: bool
    pattern: str
    locked: bool = False
    expires: float | None = None
    note: str = ""


@frozen
class Act:
    """
    Something a person did to the directory, for the audit.

    @ivar actor: who, C{uid:NAME} or an address.
    @ivar act: what, as C{noun verb}: "domain add".
    @ivar subject: to whom or to what.
    """

    id: int
    time: float
    actor: str
    act: str
    subject: str
    detail: str = ""


class Refused(Exception):
    """
    What was asked for is not done, and nothing has changed.

    @ivar kind: "invalid" (cannot be so), "unknown" (no such thing) or
        "conflict" (not as things stand).
    @ivar sentence: what is wrong, for people.
    @ivar remedy: what to do about it, or "".
    """

    def __init__(self, kind: str, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence
        self.remedy = remedy
