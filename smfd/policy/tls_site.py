"""
How safe the mail for one domain must travel, as far as that is known before a
server was chosen.

Standards: RFC 8461 §4, RFC 7672 §2.2.
"""

from attrs import evolve, frozen

from smfd.model.hop import TLSA, NextHop
from smfd.policy.dane import AUTHORITY, usable
from smfd.policy.mta_sts import STS


class Unsafe(Exception):
    """Nobody there can be sent to as safely as must be; why, in words."""


@frozen
class SitePolicy:
    """
    The policy for a domain, or for a server that a person named.

    @ivar override: what a person asked for, which counts more than what was
        published: one of L{ROUTE_POLICIES <smfd.model.hop.ROUTE_POLICIES>}; or "".
    @ivar sts: what the domain published, or None.
    """

    domain: str
    override: str = ""
    sts: STS | None = None

    def permits(self, host: str) -> bool:
        """Whether mail may be handed to a host of that name at all."""
        if self.override or self.sts is None or self.sts.mode != "enforce":
            return True
        return self.sts.permits(host)

    @property
    def asks_dane(self) -> bool:
        """Whether TLSA records matter."""
        return self.override in ("", "dane", "dane-only")

    def hop(self, hop: NextHop, records: tuple[TLSA, ...], base: str = "") -> NextHop:
        """
        A hop as it must be spoken to.

        @param records: the TLSA records of the host, all of them believed.
        @param base: the name that has them, when it is not the host's.
        @raise Unsafe: it cannot be.
        """
        proven = usable(records)
        if self.override == "dane-only" and not proven:
            raise Unsafe(f"TLS is not safe: {hop.host} has no TLSA record to use")
        if not self.asks_dane:
            return evolve(hop, tls=self.override)
        if proven:
            names = self._names(hop.host, base or hop.host, proven)
            return evolve(hop, tls="dane", tlsa=proven, names=names)
        return self._without(hop, bool(records))

    def _names(
        self, host: str, base: str, records: tuple[TLSA, ...]
    ) -> tuple[str, ...]:
        """None where the host's will do: whoever has the same shares connections."""
        if any(record.usage == AUTHORITY for record in records):
            # RFC 7672 §3.2.2: with an authority, also the domain itself.
            return tuple(dict.fromkeys((base, host, self.domain)))
        return () if base == host else (base,)

    def _without(self, hop: NextHop, unusable: bool) -> NextHop:
        if self.sts is not None and self.sts.mode == "enforce":
            return evolve(hop, tls="sts")
        watched = self.sts is not None and self.sts.mode == "testing"
        # RFC 7672 §2.2: records that nobody can use still say that there is TLS.
        tls = "required" if unusable else "opportunistic"
        return evolve(hop, tls=tls, watched=watched)
