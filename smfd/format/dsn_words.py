"""
What a status means, in words for the one who sent the message.

Standards: RFC 3463 §3.
"""

from attrs import frozen


@frozen
class Meaning:
    """
    Two sentences, or a few more.

    @ivar what: what happened.
    @ivar next: what can be done about it.
    """

    what: str
    next: str


_ADDRESS = "Check it letter by letter, or ask for the right one in another way."
_LATER = "Send it again later, or reach the recipient in another way."
_THEIRS = "Only those who look after that server can mend it: send it again later."
_SHOW = "Show this letter to your own postmaster: he can find out and mend it."

#: By the subject and detail of a status; then by the subject alone.
_MEANINGS = {
    "1.1": Meaning("There is no such mailbox.", f"The address is wrong. {_ADDRESS}"),
    "1.2": Meaning(
        "There is no such mail domain.",
        f"What stands behind the @ is wrong. {_ADDRESS}",
    ),
    "1.3": Meaning("This is not a mail address.", f"The address is wrong. {_ADDRESS}"),
    "1.6": Meaning(
        "The mailbox has moved, and nobody says where.",
        "Ask the recipient for his new address in another way.",
    ),
    "1.7": Meaning("Your own address is not believed there.", _SHOW),
    "1.8": Meaning("Your own address is not believed there.", _SHOW),
    "1.10": Meaning(
        "This domain takes no mail at all.",
        "Ask the recipient for another address in another way.",
    ),
    "1": Meaning("The address is not known there.", f"{_ADDRESS}"),
    "2.1": Meaning(
        "The mailbox takes no mail at present.", "Reach the recipient in another way."
    ),
    "2.2": Meaning(
        "The mailbox is full.",
        "The recipient must make room in it first. " + _LATER,
    ),
    "2.3": Meaning(
        "The message is larger than this mailbox takes.",
        "Send less at once, or give a link to what is large.",
    ),
    "2.4": Meaning(
        "Behind this address is a list that cannot be followed.",
        "Those who look after the list can mend it.",
    ),
    "2": Meaning("The mailbox takes no mail just now.", _LATER),
    "3.1": Meaning("The other server has no room left.", _THEIRS),
    "3.4": Meaning(
        "The message is larger than the other server takes.",
        "Send less at once, or give a link to what is large.",
    ),
    "3": Meaning("The other server is in trouble.", _THEIRS),
    "4.1": Meaning("The other server did not answer.", _THEIRS),
    "4.2": Meaning("The connection to the other server broke.", _THEIRS),
    "4.3": Meaning(
        "Where this domain's mail goes could not be found out.",
        f"Look whether the domain behind the @ is right. {_THEIRS}",
    ),
    "4.4": Meaning(
        "There is no way to a server that takes mail for this domain.",
        "Look whether the domain behind the @ is right. If it is, only those who"
        " look after the domain can mend it: tell them in another way.",
    ),
    "4.6": Meaning("The message went round in a circle.", _SHOW),
    "4.7": Meaning("The message could not be delivered in all this time.", _LATER),
    "4": Meaning("The other server could not be reached.", _THEIRS),
    "5": Meaning("The two servers did not understand each other.", _SHOW),
    "6.7": Meaning(
        "The other server does not take addresses or subjects in all scripts.",
        "Ask the recipient for an address in plain letters, or use such a one.",
    ),
    "6": Meaning(
        "The other server does not take a message of this kind.",
        "Send it in another form: as plain text, or without what is attached.",
    ),
    "7.2": Meaning(
        "Not everybody may write to this list.",
        "Those who look after the list can let you in.",
    ),
    "7": Meaning(
        "The other server refused the message by its own rules.",
        f"Its words, below, may say why. {_SHOW}",
    ),
}

_UNKNOWN = Meaning(
    "It could not be delivered.",
    f"What was said of it, below, may say why. {_SHOW}",
)

_REPUTATION = Meaning(
    "The other server thinks badly of our servers, or of your domain.", _SHOW
)
_IDENTITY = Meaning(
    "The other server does not believe that the message is from where it says.", _SHOW
)

#: By the cause that the words of a refusal tell, where they tell more than its
#: status; and the statuses that tell more.
_CAUSES: dict[str, tuple[Meaning, tuple[str, ...]]] = {
    "unknown_recipient": (_MEANINGS["1.1"], ("1.", "2.1")),
    "mailbox_full": (_MEANINGS["2.2"], ()),
    "size": (_MEANINGS["3.4"], ("2.3",)),
    "content": (
        Meaning(
            "The other server takes the message for spam, or for dangerous.",
            "Write it in other words, without what is attached or linked. If it "
            f"comes back again: {_SHOW[0].lower()}{_SHOW[1:]}",
        ),
        ("6.",),
    ),
    "reputation_address": (_REPUTATION, ()),
    "reputation_domain": (_REPUTATION, ()),
    "authentication": (_IDENTITY, ()),
    "dns": (_IDENTITY, ("1.10",)),
    "rate": (Meaning("The other server takes no more mail from us now.", _LATER), ()),
    "greylisting": (
        Meaning("The other server asks those whom it does not know to wait.", _LATER),
        (),
    ),
    "tls": (
        Meaning("The connection was not as safe as one side wants it.", _SHOW),
        (),
    ),
}


def meaning(status: str, cause: str = "") -> Meaning:
    """
    What a refusal means; of an unknown one that it failed.

    @param status: an enhanced status code; its class does not matter.
    @param cause: the value of a L{Kind <smfd.model.cause.Kind>}, or "".
    """
    _, _, rest = status.partition(".")
    told, unless = _CAUSES.get(cause, (None, ()))
    if told is not None and not rest.startswith(unless):
        return told
    subject = rest.partition(".")[0]
    return _MEANINGS.get(rest) or _MEANINGS.get(subject) or _UNKNOWN
