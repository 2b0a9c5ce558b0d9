"""Domains, accounts, aliases and list entries, as the rest of the house sees them."""

from attrs import frozen

from smfd.model.hop import NextHop

#: What a hosted domain may be, and where its mailboxes are: here, behind
#: LMTP, or at another SMTP server.
KINDS = ("local", "lmtp", "relay")

#: How the recipients of a domain are known: by the accounts we hold, by a list
#: of addresses, by asking the next hop, or not at all.
VERIFY = ("directory", "list", "callout", "none")


@frozen
class Domain:
    """
    A hosted domain.

    @ivar name: lower case A-labels.
    @ivar kind: one of L{KINDS}.
    @ivar threshold: the score at which mail is spam (S12); None takes the
        one of the settings.
    @ivar allow_unauthenticated: allow entries count for senders that proved
        nothing (C9, strict-seed mode).
    @ivar next_hop: who takes its mail; None when it is local.
    @ivar verify: one of L{VERIFY} (C16).
    @ivar catch_all: the address that has the mail for unknown ones, or "".
    @ivar scan_outbound: what its users send to the world is scanned for
        viruses (S23, C1).
    """

    name: str
    kind: str = "local"
    threshold: float | None = None
    allow_unauthenticated: bool = False
    next_hop: NextHop | None = None
    verify: str = "directory"
    catch_all: str = ""
    scan_outbound: bool = True


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
class Alias:
    """
    An address that stands for others.

    @ivar address: C{local@domain}, lower case.
    @ivar targets: who gets its mail; at least one.
    @ivar keep: a mailbox keeps a copy of what it forwards; an alias has none.
    """

    address: str
    targets: tuple[str, ...]
    keep: bool = False
    created: float = 0.0


@frozen
class Known:
    """
    What the directory knows of one address that it takes mail for.

    @ivar address: what it is known as: without the +tag, if that was no
        address of its own.
    @ivar targets: where its mail goes, here; none when it ends with it.
    @ivar beyond: where in the world it is forwarded to.
    @ivar keep: it ends here too.
    @ivar account: its mailbox, when we hold one.
    @ivar held: it stands in the directory; else anybody may guess such a one.
    """

    address: str
    domain: Domain
    targets: tuple[str, ...] = ()
    keep: bool = True
    account: Account | None = None
    held: bool = True
    beyond: tuple[str, ...] = ()


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
