"""
What we answer.

Standards: RFC 5321 §4.2, RFC 2034, RFC 3463, RFC 2033, RFC 6533 §3.
"""

from collections.abc import Sequence

from attrs import field, frozen

#: RFC 5321 §4.5.3.1.5: 512 octets, of which code, status and CRLF take some.
_LINE = 480


@frozen
class Reply:
    """
    One reply, RFC 5321 §4.2.

    @ivar code: three digits.
    @ivar status: the enhanced status code (RFC 3463), or "" where there is
        none (greeting, 354, EHLO).
    @ivar lines: the text; one line of the reply each, printable ASCII.
    @ivar closes: hang up after it.
    @ivar octets: the reply on the wire.
    """

    code: int
    status: str
    lines: tuple[str, ...]
    closes: bool = False
    #: Most replies are said again and again.
    octets: bytes = field(init=False, eq=False, repr=False)

    @property
    def positive(self) -> bool:
        """Whether it says yes: 2yz or 3yz."""
        return self.code < 400

    @octets.default
    def _spelled(self) -> bytes:
        """
        The reply on the wire.

        What is not printable is shown as "?", what is not ASCII as its number,
        and a line too long is cut: no text makes a second reply of one.
        """
        prefix = f"{self.status} " if self.status else ""
        if len(self.lines) == 1:
            line = f"{self.code} {prefix}{_plain(self.lines[0])}\r\n"
            return line.encode("ascii")
        lines = [_plain(line) for line in self.lines] or [""]
        last = f"{self.code} {prefix}{lines.pop()}\r\n"
        if lines:
            last = "".join(f"{self.code}-{prefix}{x}\r\n" for x in lines) + last
        return last.encode("ascii")


@frozen
class Replies(Reply):
    """
    Several that answer one thing: one for each recipient, RFC 2033 §4.2.

    Its code, status and text are those of one of them: of one that says yes,
    if any does.
    """

    each: tuple[Reply, ...] = ()
    octets: bytes = field(init=False, eq=False, repr=False)

    @octets.default
    def _one_by_one(self) -> bytes:
        """All of them, in order."""
        return b"".join([one.octets for one in self.each])


class Malformed(ValueError):
    """
    What a client wrote is not what the grammar says.

    @ivar reply: the answer to it.
    """

    def __init__(self, text: str, status: str = "5.5.4", code: int = 501) -> None:
        super().__init__(text)
        self.reply = reply(code, status, text)


def reply(code: int, status: str, *lines: str, closes: bool = False) -> Reply:
    """Make a reply of some lines."""
    return Reply(code, status, lines, closes)


def replies(each: Sequence[Reply]) -> Replies:
    """Join some, at least one."""
    one = next((answer for answer in each if answer.positive), each[0])
    return Replies(one.code, one.status, one.lines, each=tuple(each))


def with_id(text: str, name: str) -> str:
    """A line that ends with the id of its record, whatever has to be cut for it."""
    mark = f" id={name}"
    return f"{_plain(text)[: _LINE - len(mark)]}{mark}"


def _plain(line: str) -> str:
    if line.isascii() and line.isprintable() and len(line) <= _LINE:
        return line
    return "".join(map(_character, line[:_LINE]))[:_LINE]


def _character(char: str) -> str:
    if " " <= char <= "~":
        return char
    # RFC 6533 §3: so are addresses in UTF-8 written where there is ASCII only.
    return f"\\x{{{ord(char):X}}}" if not char.isascii() and char.isprintable() else "?"
