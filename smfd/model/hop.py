"""Where mail goes on to, and what is known of an address there."""

from enum import Enum

from attrs import frozen

from smfd.model.origin import ANYWHERE, Login, Origin

#: How much TLS a hop must speak, from least to most.
TLS_POLICIES = ("none", "opportunistic", "required", "verify")

#: How much a server must speak that a person named for mail to the world: also
#: what it published, where it did or without exception.
ROUTE_POLICIES = (*TLS_POLICIES, "dane", "dane-only")

#: How a server proves itself where what it published says so, and no person.
FOUND = ("dane", "sts")


@frozen
class TLSA:
    """
    What the DNS says of a server's certificate (RFC 6698 §2.1).

    @ivar octets: of a certificate, a key or a digest, as the others say.
    """

    usage: int
    selector: int
    matching: int
    octets: bytes

    def __str__(self) -> str:
        """As a zone file has it, and not at length."""
        told = self.octets.hex()
        told = told if len(told) <= 64 else f"{told[:61]}..."
        return f"{self.usage} {self.selector} {self.matching} {told}"


@frozen
class NextHop:
    """
    The server that a domain's mail goes on to.

    @ivar protocol: "smtp" or "lmtp".
    @ivar host: a name or an IP address without brackets; "" for a UNIX socket.
    @ivar port: 0 for a UNIX socket.
    @ivar path: of the UNIX socket, or "".
    @ivar tls: one of L{TLS_POLICIES} or L{FOUND}; a UNIX socket needs none.
    @ivar address: the IP address to connect to; "" is that of the host.
    @ivar names: those of which its certificate must have one, and the first of
        which is asked for; none: the host.
    @ivar tlsa: what the certificate must be, when tls is "dane".
    @ivar watched: whether it would prove itself by "sts" is told, and changes
        nothing.
    @ivar origin: whom we are there, and where we come from.
    @ivar login: how we are let in; None where nobody asks.
    """

    protocol: str
    host: str = ""
    port: int = 0
    path: str = ""
    tls: str = "opportunistic"
    address: str = ""
    names: tuple[str, ...] = ()
    tlsa: tuple[TLSA, ...] = ()
    watched: bool = False
    origin: Origin = ANYWHERE
    login: Login | None = None

    def __str__(self) -> str:
        """As it is written: C{smtp://host:port} or C{lmtp:unix:/path}."""
        if self.path:
            return f"{self.protocol}:unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


class Verification(Enum):
    """What a next hop said of a recipient."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    UNSURE = "unsure"
