"""Mail policies: who may send what to whom, and when (S51, S52)."""

from collections.abc import Mapping

from attrs import frozen

#: Where a message goes, for one recipient.
DIRECTIONS = ("inbound", "local", "outbound")

#: What a rule may do.  The last two let through, and do something besides.
ACTIONS = (
    *("allow", "reject", "quarantine", "hold", "redirect"),
    *("add-header", "notify"),
)

#: Those that let a message through to whom it is addressed.
PERMITTING = frozenset({"allow", "add-header", "notify"})

#: What files are besides what they are declared to be: by their first octets,
#: then by what there is to say of them.
FILE_TYPES = frozenset(
    ["program", "zip", "rar", "7z", "ole", "pdf", "lnk", "rtf", "gzip", "cab"]
    + ["container", "encrypted", "macro", "active", "program-inside"]
    + ["hidden-program", "double", "broken", "long-list"]
)

#: The name of what holds where no rule matches.
LAST = "last"


@frozen
class Condition:
    """
    Something that must be so for a rule to match.

    @ivar about: what it looks at, one of
        L{FIELDS <smfd.policy.rule_fields.FIELDS>}.
    @ivar values: one of them must fit.
    @ivar negated: none of them may.
    """

    about: str
    values: tuple[str, ...]
    negated: bool = False

    @property
    def key(self) -> str:
        """How it is written: C{from}, C{not_from}."""
        return f"not_{self.about}" if self.negated else self.about


@frozen
class Rule:
    """
    One rule: what matches all its conditions is its to decide.

    @ivar action: one of L{ACTIONS}.
    @ivar text: what the sender of a rejected message reads, or "".
    @ivar redirect: who gets it instead, or "".
    @ivar approvers: who may let a held message through.
    @ivar header: a line to put on top, C{Name: value}, or "".
    @ivar notify: who is told, whatever is done.
    @ivar enabled: else nobody asks it.
    @ivar note: why it is there, for people.
    """

    name: str
    conditions: tuple[Condition, ...]
    action: str
    text: str = ""
    redirect: str = ""
    approvers: tuple[str, ...] = ()
    header: str = ""
    notify: tuple[str, ...] = ()
    enabled: bool = True
    note: str = ""

    @property
    def permits(self) -> bool:
        """Whether what it matches goes where it is addressed to."""
        return self.action in PERMITTING


@frozen
class Group:
    """
    Users who are spoken of together.

    @ivar name: C{name@domain}, lower case; it need not be an address.
    @ivar members: how many there are.
    """

    name: str
    members: int
    note: str = ""
    created: float = 0.0


@frozen
class Addressee:
    """
    A recipient as rules see him.

    @ivar address: C{local@domain}.
    @ivar direction: one of L{DIRECTIONS}.
    @ivar named: the addresses that led there, when they are others: aliases.
    """

    address: str
    direction: str
    named: tuple[str, ...] = ()


@frozen
class Mail:
    """
    A message as rules see it.

    @ivar sender: of the envelope, or "" for the null path.
    @ivar recipients: each once.
    @ivar time: seconds since the epoch.
    @ivar account: who logged in, or "".
    @ivar author: the address in From, or "".
    @ivar proven: of these addresses, those the sender is known to be.
    @ivar client: an IP address, or "".
    @ivar header: fields as (name in lower case, value for people).
    @ivar files: names of what is attached, and of what attached archives list.
    @ivar types: of what is attached: as declared, C{application/zip}, and of
        L{FILE_TYPES} those that it is.
    @ivar verdict: what was thought of it before, one of
        L{CATEGORIES <smfd.model.verdict.CATEGORIES>}, by recipient.
    """

    sender: str
    recipients: tuple[Addressee, ...]
    time: float
    account: str = ""
    author: str = ""
    proven: frozenset[str] = frozenset()
    client: str = ""
    subject: str = ""
    header: tuple[tuple[str, str], ...] = ()
    size: int = 0
    files: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    verdict: Mapping[str, str] = {}


@frozen
class Ruling:
    """
    What the rules say of a message, for one recipient.

    @ivar action: "allow", "reject", "quarantine", "hold" or "redirect".
    @ivar rule: the name of the rule that decided.
    @ivar text: for the sender, when it is rejected; for people, why it is let
        through by a rule that keeps others back.
    @ivar redirect: who gets it instead.
    @ivar approvers: who may let it through, when it is held.
    @ivar header: a line to put on top, without its CRLF, or "".
    @ivar notify: who is to be told.
    """

    recipient: str
    action: str
    rule: str
    text: str = ""
    redirect: str = ""
    approvers: tuple[str, ...] = ()
    header: str = ""
    notify: tuple[str, ...] = ()
