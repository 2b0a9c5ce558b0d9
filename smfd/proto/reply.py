"""
What we answer.

Standards: RFC 5321 §4.2, RFC 2034, RFC 3463.
"""

from attrs import frozen


@frozen
class Reply:
    """
    One reply, RFC 5321 §4.2.

    @ivar code: three digits.
    @ivar status: the enhanced status code (RFC 3463), or "" where there is
        none (greeting, 354, EHLO).
    @ivar lines: the text; one line of the reply each, printable ASCII.
    @ivar closes: hang up after it.
    """

    code: int
    status: str
    lines: tuple[str, ...]
    closes: bool = False

    @property
    def positive(self) -> bool:
        """Whether it says yes: 2yz or 3yz."""
        return self.code < 400

    def __bytes__(self) -> bytes:
        """The reply on the wire."""
        prefix = f"{self.status} " if self.status else ""
        last = len(self.lines) - 1
        return "".join(
            f"{self.code}{' ' if n == last else '-'}{prefix}{line}\r\n"
            for n, line in enumerate(self.lines)
        ).encode("ascii", "replace")


def reply(code: int, status: str, *lines: str, closes: bool = False) -> Reply:
    """Make a reply of some lines."""
    return Reply(code, status, lines, closes)
