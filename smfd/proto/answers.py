"""
What another server answers, read with limits.

Whatever is not a reply is L{Garbled}: we then know nothing, and try again
later.

Standards: RFC 5321 §4.2, RFC 2034 §4, RFC 3463.
"""

import re
from collections.abc import Iterator

from smfd.proto.reply import Reply, reply

#: RFC 5321 §4.5.3.1.5 allows 512 octets; some say more.
LINE = 2048
#: Lines of one reply.
LINES = 100
#: Octets of one reply.
OCTETS = 32_768

_REPLY = re.compile(rb"([2-5]\d\d)(?:([ -])([^\n]*?))?\r?\n\Z")
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |\Z)", re.ASCII)

#: What is printable ASCII stays, all else is a question mark.
_SHOWN = bytes(octet if 32 <= octet < 127 else 63 for octet in range(256))


class Garbled(Exception):
    """What came is no reply, or none that was asked for."""


class AnswerReader:
    """Octets in, replies out; how they were cut makes no difference."""

    def __init__(self) -> None:
        self._waiting = b""
        self._at = 0
        self._lines: list[str] = []
        self._code = 0
        self._octets = 0

    def __len__(self) -> int:
        """How many octets wait, with those of a reply that has begun."""
        return len(self._waiting) - self._at + self._octets

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting, self._at = b"", 0
        self._lines, self._code, self._octets = [], 0, 0

    def read(self, octets: bytes) -> Iterator[Reply]:
        """
        The replies that are complete now.

        @raise Garbled: there is none, and never will be.
        """
        self._waiting, self._at = self._waiting[self._at :] + octets, 0
        while (end := self._waiting.find(b"\n", self._at) + 1) > 0:
            line, self._at = self._waiting[self._at : end], end
            answer = self._line(line)
            if answer is not None:
                yield answer
        if len(self._waiting) - self._at > LINE:
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
    return octets.rstrip(b"\r\n")[:480].translate(_SHOWN).decode("ascii")


def words(answer: Reply) -> str:
    """A reply in one line, for records."""
    status = f"{answer.status} " if answer.status else ""
    return f"{answer.code} {status}{' / '.join(answer.lines)}"[:1000]


def permanent(answer: Reply) -> bool:
    """Whether it is no for ever; all that is neither yes nor this may change."""
    return answer.code >= 500


def countable(answer: Reply) -> Reply:
    """
    What is meant by an answer to RCPT.

    RFC 5321 §4.5.3.1.10: 552 to too many recipients means 452.
    """
    if answer.code == 552 and answer.status in ("", "5.5.3"):
        return Reply(452, "4.5.3", answer.lines)
    return expected(answer, "RCPT")


def expected(answer: Reply, question: str) -> Reply:
    """
    An answer, or what stands for one that makes no sense.

    RFC 5321 §4.2.1: 3yz asks for more, where there is no more to say.
    """
    if 300 <= answer.code < 400:
        return reply(451, "4.5.0", f"{question} was answered by {words(answer)}")
    return answer
