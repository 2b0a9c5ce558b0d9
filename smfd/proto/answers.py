"""
What another server answers, read with limits.

Whatever is not a reply is L{Garbled}: we then know nothing, and try again
later.

Standards: RFC 5321 §4.2, RFC 2034 §4, RFC 3463.
"""

import re
from collections.abc import Iterator
from enum import Enum

from smfd.proto.reply import Reply

#: RFC 5321 §4.5.3.1.5 allows 512 octets; some say more.
LINE = 2048
#: Lines of one reply.
LINES = 100
#: Octets of one reply.
OCTETS = 32_768

_REPLY = re.compile(rb"([2-5]\d\d)(?:([ -])([^\n]*?))?\r?\n\Z")
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |\Z)", re.ASCII)


class About(Enum):
    """
    What a refusal speaks of.

    RECIPIENT: nobody else is concerned.  CONTENT: it would be taken if it were
    another message.  US: who we are, or how we behave; much of our mail is
    concerned.  THEM: their server, for now or for ever.
    """

    RECIPIENT = "recipient"
    CONTENT = "content"
    US = "us"
    THEM = "them"


#: RFC 3463 §3: the second number of a status, and the whole where it differs.
_SUBJECTS = {
    "1": About.RECIPIENT,
    "2": About.RECIPIENT,
    "3": About.THEM,
    "4": About.THEM,
    "5": About.US,
    "6": About.CONTENT,
    "7": About.US,
}
_DETAILS = {
    "1.7": About.US,  # The sender's address, which is of our making.
    "1.8": About.US,
    "1.10": About.RECIPIENT,
    "2.3": About.CONTENT,  # Longer than this mailbox takes.
    "3.4": About.CONTENT,  # Larger than they take.
    "5.3": About.THEM,  # Too many recipients, for them.
    "7.2": About.RECIPIENT,  # A list that takes no mail from everybody.
    "7.17": About.RECIPIENT,  # RRVS: the mailbox has another owner since.
    "7.18": About.RECIPIENT,
}

#: RFC 5321 §4.2.3: codes that speak of a mailbox when they answer RCPT.
_MAILBOX = frozenset((450, 452, 550, 551, 552, 553))


class Garbled(Exception):
    """What came is no reply, or none that was asked for."""


class AnswerReader:
    """Octets in, replies out; how they were cut makes no difference."""

    def __init__(self) -> None:
        self._waiting = b""
        self._lines: list[str] = []
        self._code = 0
        self._octets = 0

    def __len__(self) -> int:
        """How many octets wait, with those of a reply that has begun."""
        return len(self._waiting) + self._octets

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting, self._lines, self._code, self._octets = b"", [], 0, 0

    def read(self, octets: bytes) -> Iterator[Reply]:
        """
        The replies that are complete now.

        @raise Garbled: there is none, and never will be.
        """
        self._waiting += octets
        while (end := self._waiting.find(b"\n") + 1) > 0:
            line, self._waiting = self._waiting[:end], self._waiting[end:]
            answer = self._line(line)
            if answer is not None:
                yield answer
        if len(self._waiting) > LINE:
            raise Garbled("a line of a reply is too long")

    def _line(self, line: bytes) -> Reply | None:
        """Take a line; the reply that it ends, if it does."""
        found = _REPLY.match(line)
        if len(line) > LINE or found is None:
            raise Garbled(f"{shown(line)!r} is no reply")
        code, more, text = int(found[1]), found[2] == b"-", shown(found[3] or b"")
        if self._lines and code != self._code:
            # RFC 5321 §4.2.1: every line of a reply has the same code.
            raise Garbled(f"a reply changes from {self._code} to {code}")
        self._code = code
        self._lines.append(text)
        self._octets += len(line)
        if len(self._lines) > LINES or self._octets > OCTETS:
            raise Garbled("a reply is endless")
        return None if more else self._finish()

    def _finish(self) -> Reply:
        lines, code = self._lines, self._code
        self._lines, self._octets = [], 0
        found = _STATUS.match(lines[0])
        if found is None or found[1][0] != str(code)[0]:
            # RFC 2034 §4: a status of another class than the code is none.
            return Reply(code, "", tuple(lines))
        status = found[1]
        bare = tuple(line.removeprefix(status).removeprefix(" ") for line in lines)
        return Reply(code, status, bare)


def shown(octets: bytes) -> str:
    """A line for people: printable ASCII, and not long."""
    text = octets.decode("ascii", "replace").rstrip("\r\n")
    return "".join(c if " " <= c <= "~" else "?" for c in text[:480])


def words(answer: Reply) -> str:
    """A reply in one line, for records."""
    status = f"{answer.status} " if answer.status else ""
    return f"{answer.code} {status}{' / '.join(answer.lines)}"[:1000]


def permanent(answer: Reply) -> bool:
    """Whether it is no for ever; all that is neither yes nor this may change."""
    return answer.code >= 500


def about(answer: Reply, message: bool = False) -> About:
    """
    What a refusal speaks of, as far as its numbers tell.

    RFC 3463 comes first; without it the code, and what was answered.

    @param message: it answers a whole message, and not RCPT.
    """
    if answer.status:
        _, _, rest = answer.status.partition(".")
        found = _DETAILS.get(rest) or _SUBJECTS.get(rest.partition(".")[0])
        if found is not None:
            return found
    if answer.code in (421, 432, 451, 454):
        return About.THEM
    if message:
        # 552: too much of it.  The others: something in it.
        return About.CONTENT if answer.code >= 500 else About.THEM
    return About.RECIPIENT if answer.code in _MAILBOX else About.US
