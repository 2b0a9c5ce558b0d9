"""
Our own addresses, as lists and names in the DNS have them.

Standards: RFC 5782 §2 (lists in the DNS), RFC 1912 §2.1 (names and addresses).
"""

from collections.abc import Sequence

from attrs import frozen

#: RFC 5782 §2.1: what lists answer from.
ANSWERS = ("127.0.0.0/8",)

#: What the answers of Spamhaus's lists mean, by the last octet.
_SPAMHAUS = {
    2: "SBL: spam was seen from it",
    3: "CSS: it sends like spammers do",
    4: "XBL: a machine behind it is infected, or an open proxy",
    5: "XBL: a machine behind it is infected, or an open proxy",
    6: "XBL: a machine behind it is infected, or an open proxy",
    7: "XBL: a machine behind it is infected, or an open proxy",
    9: "DROP: its whole network is a criminal's",
    10: "PBL: its provider says that it should send no mail",
    11: "PBL: it is a home line, and should send no mail",
}


@frozen
class Listed:
    """
    A list has one of our addresses.

    @ivar answer: what it said.
    @ivar since: when we saw it first, seconds since the epoch.
    """

    address: str
    zone: str
    answer: str
    since: float

    @property
    def meaning(self) -> str:
        """The answer for people, where it is known; else the answer."""
        last = int(self.answer.rpartition(".")[2])
        known = _SPAMHAUS.get(last) if self.zone.endswith("spamhaus.org") else None
        return known or self.answer


@frozen
class Named:
    """
    What the names of one of our addresses are.

    @ivar names: of its PTR records.
    @ivar own: those of them that have this address.
    """

    address: str
    names: tuple[str, ...]
    own: tuple[str, ...]

    def fault(self, hello: str) -> str:
        """
        What is wrong with that, a clause; or "".

        @param hello: what we call ourselves, in small letters.
        """
        if not self.names:
            return "it has no name (PTR)"
        if not self.own:
            return f"its name {self.names[0]} is not its own (no address record)"
        if hello not in self.own:
            return f"its name is {self.own[0]}, and HELO says {hello}"
        return ""


def names(found: Sequence[str]) -> tuple[str, ...]:
    """Names as the DNS gives them: in small letters, without the last dot."""
    return tuple(str(name).rstrip(".").lower()[:253] for name in found[:5])
