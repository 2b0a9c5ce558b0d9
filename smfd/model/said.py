"""
The last word on a recipient, in one line that is read by people and read again
by us: C{550 5.1.1 host mx.example [192.0.2.1]: no such user}.

Standards: RFC 3463.
"""

import re

from attrs import frozen

#: The longest line that is read.
LONGEST = 2000

_LINE = re.compile(
    r"(?:([2-5][0-9]{2}) )?([245]\.[0-9]{1,3}\.[0-9]{1,3})"
    r"(?: host ([^\s\[\]]+)(?: \[([0-9A-Fa-f:.]+)\])?)?: (.*)",
    re.ASCII,
)


@frozen
class Said:
    """
    What was said of a recipient, or found out.

    @ivar status: the enhanced status code; "" only of a line that is none of
        ours.
    @ivar text: the words.
    @ivar code: the three digits of a reply; 0 when nobody replied.
    @ivar host: the server that said it, or that was tried; "" when none was.
    @ivar address: its IP address, or "".
    """

    status: str
    text: str
    code: int = 0
    host: str = ""
    address: str = ""

    def __str__(self) -> str:
        """The line."""
        code = f"{self.code} " if self.code else ""
        host = f" host {_bare(self.host)}" if self.host else ""
        where = f" [{self.address}]" if self.host and self.address else ""
        text = self.text if self.text.isprintable() else _plain(self.text)
        return f"{code}{self.status}{host}{where}: {text}"[:LONGEST]


def parse_said(line: str) -> Said:
    """
    Read a line again; one that is none of ours is all text, and has no status.
    """
    found = _LINE.fullmatch(line[:LONGEST])
    if found is None:
        return Said("", line)
    code, status, host, address, text = found.groups()
    return Said(status, text, int(code or 0), host or "", address or "")


def _bare(host: str) -> str:
    """A host as one word: names from the DNS may have anything in them."""
    return "".join(c if c.isprintable() and c not in " []:" else "?" for c in host)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
