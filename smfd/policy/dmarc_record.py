"""
What a DMARC record asks to be told, and whom.

Standards: RFC 7489 §6.2, §6.3, §6.4 and §7.1.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from attrs import frozen

#: Addresses that get a report.
MOST = 2

_ADDRESS = re.compile(
    r"[a-z0-9.#$%&'*+/=?^_`{|}~-]{1,64}@((?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63})"
)
#: RFC 7489 §6.4: the most octets that an address takes.
_LIMIT = re.compile(r"!([0-9]{1,9})([kmgt]?)\Z")
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


@frozen
class Asked:
    """
    Whom a report goes to.

    @ivar most: octets of the report, packed; 0 for any.
    """

    address: str
    most: int = 0

    @property
    def domain(self) -> str:
        """Of the address."""
        return self.address.rpartition("@")[2]


@frozen
class Published:
    """
    A domain's policy, as it is in the DNS.

    @ivar domain: whose record it is.
    @ivar tags: those of the record, in small letters.
    """

    domain: str
    tags: Mapping[str, str]

    @property
    def rua(self) -> tuple[Asked, ...]:
        """RFC 7489 §6.2: who wants aggregate reports, by mail."""
        uris = self.tags.get("rua", "")[:1000].split(",")
        found = [asked for uri in uris if (asked := _asked(uri.strip())) is not None]
        return tuple(dict.fromkeys(found))[:MOST]

    def mode(self, method: str) -> str:
        """How it wants SPF or DKIM aligned: "s" or "r"."""
        name = "aspf" if method == "spf" else "adkim"
        return "s" if self.tags.get(name) == "s" else "r"

    def aligned(
        self, method: str, result: str, author: str, organization: Callable[[str], str]
    ) -> bool:
        """
        RFC 7489 §3.1: whether a result proves the author.

        @param result: as in L{Seen <smfd.policy.dmarc_seen.Seen>}: "pass a.example".
        @param organization: the domain that another belongs to.
        """
        words = result.split(" ")
        if words[0] != "pass" or len(words) < 2:
            return False
        if self.mode(method) == "s":
            return words[1] == author
        return organization(words[1]) == organization(author)


def record(text: str) -> dict[str, str] | None:
    """
    The tags of a DMARC record; None for another kind of text.

    RFC 7489 §6.4: v=DMARC1 comes first; tags that are wrong are left out.
    """
    first, _, rest = text.partition(";")
    name, _, version = first.partition("=")
    if name.strip().lower() != "v" or version.strip() != "DMARC1":
        return None
    found: dict[str, str] = {}
    for item in rest.split(";"):
        name, equals, value = item.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), value.strip().lower())
    return found


def confirming(domain: str, asked: Asked) -> str:
    """
    RFC 7489 §7.1: the name at which another's domain says that it wants reports
    on this one.
    """
    return f"{domain}._report._dmarc.{asked.domain}"


def confirms(records: Iterable[bytes]) -> bool:
    """RFC 7489 §7.1, step 5: whether it does."""
    return any(
        text.replace(b" ", b"").lower().startswith(b"v=dmarc1") for text in records
    )


def _asked(uri: str) -> Asked | None:
    if not uri.startswith("mailto:"):
        return None
    address, most = uri.removeprefix("mailto:"), 0
    limit = _LIMIT.search(address)
    if limit is not None:
        address = address[: limit.start()]
        most = int(limit[1]) << _UNITS[limit[2]]
    address = address.partition("?")[0]
    return Asked(address, most) if _ADDRESS.fullmatch(address) else None
