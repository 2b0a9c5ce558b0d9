"""Each try to hand mail on, as a line of the mail log, in Postfix's words."""

import re

from attrs import frozen

from smfd.model.attempt import Attempt
from smfd.model.entry import State
from smfd.proto.answers import words
from smfd.store.maillog import MailLog

#: What Postfix calls it.
_STATUS = {
    State.DELIVERED: "sent",
    State.DUE: "deferred",
    State.FAILED: "bounced",
    State.HELD: "held",
}

_ODD = re.compile(r"[^A-Za-z0-9._:/-]")

_CLASS = {State.DELIVERED: "2", State.DUE: "4"}


@frozen
class Tries:
    """C{to=<a@b>, relay=host[address]:25, delays=a/b/c/d, status=sent (words)}."""

    maillog: MailLog

    def note(self, attempt: Attempt) -> None:
        """Write a line."""
        c, delays = attempt.consignment, attempt.delays
        self.maillog.line(
            c.entry_id,
            to=f"<{c.recipient.address}>",
            relay=_relay(attempt),
            delay=f"{sum(delays):.2f}",
            delays="/".join(f"{part:.2f}" for part in delays),
            tls=attempt.tls,
            dsn=_dsn(attempt),
            status=f"{_STATUS.get(attempt.state, 'deferred')} ({_said(attempt)})",
        )


def _relay(attempt: Attempt) -> str:
    if not attempt.host:
        return "none"
    address = f"[{attempt.address}]" if attempt.address else ""
    # A name of the DNS may have anything in it.
    port = f":{attempt.port}" if attempt.port else ""
    return _ODD.sub("?", attempt.host) + address + port


def _said(attempt: Attempt) -> str:
    said = attempt.why
    if attempt.answer is not None and not said:
        said = words(attempt.answer)
    return said[:250]


def _dsn(attempt: Attempt) -> str:
    """The status of the answer, or ours, as far as it fits what it came to."""
    digit = _CLASS.get(attempt.state, "5")
    theirs = attempt.answer.status if attempt.answer is not None else ""
    for status in (theirs, attempt.status):
        if status.startswith(digit):
            return status
    return f"{digit}.0.0"
