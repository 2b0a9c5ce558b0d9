"""Where mail goes on to, and what is known of an address there."""

from enum import Enum

from attrs import frozen

#: How much TLS a hop must speak, from least to most.
TLS_POLICIES = ("none", "opportunistic", "required", "verify")


@frozen
class NextHop:
    """
    The server that a domain's mail goes on to.

    @ivar protocol: "smtp" or "lmtp".
    @ivar host: a name or an IP address without brackets; "" for a UNIX socket.
    @ivar port: 0 for a UNIX socket.
    @ivar path: of the UNIX socket, or "".
    @ivar tls: one of L{TLS_POLICIES}; a UNIX socket needs none.
    """

    protocol: str
    host: str = ""
    port: int = 0
    path: str = ""
    tls: str = "opportunistic"

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
