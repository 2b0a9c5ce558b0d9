"""
Where a domain's mail goes on to, as a person writes it.

C{smtp://host:port}, C{lmtp://host:port} or C{lmtp:unix:/path}.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address

from attrs import field, frozen

from smfd.model.hop import TLS_POLICIES, NextHop
from smfd.policy.lists import parse_domain

#: RFC 5321 §4.5.4.2; LMTP has none of its own, 24 is usual.
_PORTS = {"smtp": 25, "lmtp": 24}
_URL = re.compile(r"(smtp|lmtp)://(\[[^]]*\]|[^][:/@\s]+)(?::([0-9]{1,5}))?/?")
#: What fits into the address of a UNIX socket.
_LONGEST_PATH = 100


@frozen
class Routes:
    """
    The next hops that a person named.

    @ivar named: by domain; C{*.example} is all below that one, C{*} all others.
    """

    named: Mapping[str, NextHop] = field(factory=dict)

    def of(self, domain: str) -> NextHop | None:
        """The one for a domain, by the name that says most; None for none."""
        if not self.named:
            return None
        found = self.named.get(domain)
        above = domain
        while found is None and above:
            above = above.partition(".")[2]
            found = self.named.get(f"*.{above}" if above else "*")
        return found


def parse_hop(text: str, tls: str = "opportunistic") -> NextHop:
    """
    Read a next hop.

    @raise ValueError: with a sentence that says what is wrong.
    """
    written = text.strip()
    if tls not in TLS_POLICIES:
        raise ValueError(f"TLS is one of {', '.join(TLS_POLICIES)}.")
    if written.startswith("lmtp:unix:"):
        return _socket(written.removeprefix("lmtp:unix:"), tls)
    found = _URL.fullmatch(written)
    if found is None:
        wrong = f"{written[:80]!r} is no next hop" if written else "It needs a next hop"
        raise ValueError(
            f"{wrong}: write smtp://192.0.2.1:25,"
            " lmtp://127.0.0.1:24 or lmtp:unix:/run/dovecot/lmtp."
        )
    protocol, host, port = found.groups()
    number = int(port) if port else _PORTS[protocol]
    if not 0 < number < 65536:
        raise ValueError("A port lies between 1 and 65535.")
    return NextHop(protocol, _host(host), number, tls=tls)


def _socket(path: str, tls: str) -> NextHop:
    if not path.startswith("/") or not path.isprintable():
        raise ValueError("A socket is named by its whole path: lmtp:unix:/run/lmtp.")
    if len(path.encode()) > _LONGEST_PATH:
        raise ValueError(f"The path of a socket has at most {_LONGEST_PATH} octets.")
    if tls in ("required", "verify"):
        raise ValueError("Over a UNIX socket there is no TLS: say none.")
    return NextHop("lmtp", path=path, tls="none")


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError:
            raise ValueError(f"{text[:80]!r} is no IPv6 address.") from None
    try:
        return str(ip_address(text))
    except ValueError:
        return parse_domain(text)
