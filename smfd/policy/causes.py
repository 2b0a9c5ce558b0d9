"""
Why another server did not take a message.

What it says is read as it was meant, by the signs that are known of the large
providers, then by the words that servers have in common, then by the enhanced
status code, then by the code.  The text is a stranger's: so much of it is read,
in linear time, and addresses in it are not, for whoever made up an address
could make up a cause.

Standards: RFC 3463 §3, RFC 5321 §4.2.1, RFC 7372 §3, RFC 7505 §4.
"""

import re
from collections.abc import Iterable, Mapping

from smfd.model.cause import About, Cause, Kind, kind_of
from smfd.policy.cause_codes import SPECIFIC
from smfd.policy.cause_sign import Sign
from smfd.policy.cause_words import SILENCE, SPAM, VAGUE, WORDS
from smfd.proto.reply import Reply

#: Characters of a reply that are read.
MOST = 1000

#: Whose it is to mend, where the sign says nothing else.
_ABOUT = {
    Kind.UNKNOWN_RECIPIENT: About.RECIPIENT,
    Kind.MAILBOX_FULL: About.RECIPIENT,
    Kind.CONTENT: About.CONTENT,
    Kind.POLICY: About.THEM,
    Kind.REPUTATION_ADDRESS: About.US,
    Kind.REPUTATION_DOMAIN: About.US,
    Kind.AUTHENTICATION: About.US,
    Kind.RATE: About.US,
    Kind.GREYLISTING: About.THEM,
    Kind.TLS: About.THEM,
    Kind.DNS: About.US,
    Kind.SERVER: About.THEM,
    Kind.SIZE: About.CONTENT,
    Kind.OTHER: About.THEM,
}

_SLOW = (Kind.RATE, Kind.REPUTATION_ADDRESS, Kind.REPUTATION_DOMAIN)

#: What to do next, where the sign says nothing else.
_ADVICE = {
    Kind.UNKNOWN_RECIPIENT: "The address does not exist there. Whoever sent should"
    " correct it; an account with many of these has a stale list, or is a thief's.",
    Kind.MAILBOX_FULL: "The mailbox is full. Nothing is to be done here; the"
    " recipient must make room.",
    Kind.CONTENT: "They take the message itself for spam or for dangerous. Look at"
    " one of them: a sender that was stolen, a link or an attachment they know.",
    Kind.POLICY: "A rule of theirs forbids it. Ask the recipient, by another way,"
    " to have the sender allowed by their administrator.",
    Kind.REPUTATION_ADDRESS: "They think badly of our address. Find who sent spam"
    " (the accounts below), stop that, then ask them to look again.",
    Kind.REPUTATION_DOMAIN: "They think badly of the sender's domain. Find who sent"
    " spam in its name, stop that, and let its mail be little and wanted for weeks.",
    Kind.AUTHENTICATION: "They cannot prove whose mail it is. See what the DNS says"
    " of the domain: SPF must name our addresses, DKIM our keys, DMARC must agree.",
    Kind.RATE: "Too much at once for them. It is slowed down by itself; if it goes"
    " on, see who sends so much.",
    Kind.GREYLISTING: "They ask everybody new to come again, and we do. Nothing is"
    " to be done.",
    Kind.TLS: "Encryption was not what one side wants. Try the connection, and look"
    " at the TLS settings for that domain.",
    Kind.DNS: "Our names do not fit our addresses. Each address that sends needs a"
    " PTR record, that name the address, and HELO should be that name.",
    Kind.SERVER: "Their server cannot just now. It is tried again; nothing is to be"
    " done unless it lasts for days.",
    Kind.SIZE: "The message is larger than they take. The sender should send it"
    " smaller, or a link.",
    Kind.OTHER: "They do not say why. Read the sample, and ask their postmaster.",
}

#: The same, where it is for ever: nothing is tried again.
_FOR_EVER = {
    Kind.SERVER: "Their server is set up wrongly, or the DNS leads nowhere that takes"
    " their mail. The sender has been told; only their postmaster can mend it.",
}

#: A code, perhaps with a status, and who said it: as replies are written down.
_SPOKEN = re.compile(
    r"([245][0-9]{2}) (?:([245]\.[0-9]{1,3}\.[0-9]{1,3})(?=[ :]|\Z))?"
    r"(?: host [^ ]+(?: \[[^] ]*\])?)?:? ?(.*)"
)

_U, _F, _S = Kind.UNKNOWN_RECIPIENT, Kind.MAILBOX_FULL, Kind.SERVER
_P, _A, _D, _T = Kind.POLICY, Kind.AUTHENTICATION, Kind.DNS, Kind.TLS

#: By subject and detail of the enhanced status code.
_STATUSES = {
    # RFC 3463 §3.2: the address.
    "1.1": _U,
    "1.2": _U,
    "1.3": _U,
    "1.6": _U,
    "1.7": _D,
    "1.8": _D,
    # RFC 7505 §4: the recipient's domain takes no mail, the sender's takes none.
    "1.10": _U,
    "7.27": _D,
    # RFC 3463 §3.3: the mailbox.
    "2.1": _U,
    "7.13": _U,
    "2.2": _F,
    "2.3": Kind.SIZE,
    # RFC 3463 §3.4 and §3.5: the system, and the way to it.
    "3.1": _S,
    "3.2": _S,
    "3.4": Kind.SIZE,
    "3.5": _S,
    "4.1": _S,
    "4.2": _S,
    "4.3": _S,
    "4.4": _S,
    "4.5": _S,
    "4.6": _S,
    "4.7": _S,
    # RFC 3463 §3.6 and §3.7: too many recipients, and what is in it.
    "5.3": Kind.RATE,
    "6.0": Kind.CONTENT,
    "6.1": Kind.CONTENT,
    "6.3": Kind.CONTENT,
    "6.7": Kind.CONTENT,
    # RFC 3463 §3.8: security and policy.
    "7.10": _T,
    # RFC 7372 §3: DKIM, SPF, the name of the address, several of them.
    "7.20": _A,
    "7.21": _A,
    "7.22": _A,
    "7.23": _A,
    "7.24": _A,
    "7.25": _D,
    "7.26": _A,
    "7.28": Kind.RATE,
    "7.29": _A,
    "7.30": _T,
}

#: RFC 3463 §3.8: those that stand for all that is forbidden.
_LOOSE = {"7.0": _P, "7.1": _P, "7.2": _P}

#: RFC 3463 §2: what the subject alone says, whatever the detail.
_SUBJECTS = {"3": _S, "4": _S, "6": Kind.CONTENT, "7": _P}

_CODES = {
    421: _S,
    431: _S,
    442: _S,
    447: _S,
    450: _S,
    451: _S,
    452: _S,
    523: Kind.SIZE,
    530: _T,
    552: _F,
    556: _U,
}


def cause(answer: Reply | None, why: str = "") -> Cause:
    """
    Why it was not taken.

    @param answer: what they said; None when they answered nothing.
    @param why: what went wrong then, perhaps with their last words.
    """
    answer = answer or spoken(why)
    if answer is None:
        sign = _first(SILENCE, _plain(why)) or Sign(Kind.SERVER)
        return _caused(sign, permanent=False)
    text = _plain(" ".join(answer.lines[:20]))
    sign = (
        _first(SPECIFIC, f"{answer.status} {text}")
        or _first(WORDS, text)
        or _by_status(_STATUSES, answer.status)
        or _first(SPAM, text)
        or _by_status(_LOOSE, answer.status)
        or _first(VAGUE, text)
        or _by_status(_SUBJECTS, answer.status.rpartition(".")[0])
        or Sign(_CODES.get(answer.code, Kind.OTHER))
    )
    return _caused(sign, permanent=answer.code >= 500)


def spoken(why: str) -> Reply | None:
    """
    The reply that a reason quotes; None when it quotes none.

    Who hangs up with a word, as in C{421 4.7.28 too much}, has answered no
    command, but he has said why.
    """
    found = _SPOKEN.match(why[: 2 * MOST])
    if found is None:
        return None
    code, status, text = found.groups()
    return Reply(int(code), status or "", (text,))


def advice(kind: str) -> str:
    """What to do next about causes of a kind, where no more is known."""
    return _ADVICE[kind_of(kind)]


def _plain(text: str) -> str:
    """What is read of a text: in small letters, one space, no address."""
    words = text[: 2 * MOST].lower().split()
    return " ".join(word for word in words if "@" not in word)[:MOST]


def _first(signs: Iterable[Sign], text: str) -> Sign | None:
    return next((sign for sign in signs if sign.is_in(text)), None)


def _by_status(known: Mapping[str, Kind], status: str) -> Sign | None:
    kind = known.get(status.partition(".")[2])
    return None if kind is None else Sign(kind)


def _caused(sign: Sign, permanent: bool) -> Cause:
    slow = sign.kind in _SLOW if sign.slow_down is None else sign.slow_down
    return Cause(
        sign.kind,
        sign.about or _ABOUT[sign.kind],
        permanent,
        sign.advice or (permanent and _FOR_EVER.get(sign.kind)) or _ADVICE[sign.kind],
        slow,
    )
