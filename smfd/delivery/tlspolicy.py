"""
How safe mail must travel to the servers of the world.

A person's word counts most; then DANE, then MTA-STS, each where the domain
published it; else TLS is used wherever it can be had.

Standards: RFC 7672 §2, RFC 8461 §5.
"""

from collections.abc import Awaitable, Callable, Mapping

from attrs import field, frozen
from twisted.internet.defer import Deferred

from smfd.model.hop import TLSA, NextHop
from smfd.net.dns import DNSTrouble, Lookup
from smfd.net.smtp_client_tls import NotSafe, Proof
from smfd.policy.dane import MOST
from smfd.policy.mta_sts import STS
from smfd.policy.networks import is_address
from smfd.policy.tls_site import SitePolicy, Unsafe

__all__ = ["SitePolicy", "TLSPolicies", "nobody"]

#: What a domain published by MTA-STS; None for nothing.
Published = Callable[[str], Awaitable[STS | None]]

#: Is told what became of TLS with a server of a domain.
Told = Callable[[SitePolicy, NextHop, Proof], object]


#: A name, and the records that are below it.
_Records = tuple[str, tuple[TLSA, ...]]


async def _nothing(domain: str) -> None:
    """Nobody has published anything."""


def nobody(*told: object) -> None:
    """Wants to know."""


@frozen
class TLSPolicies:
    """
    Knows what a domain and its servers ask for.

    @ivar overrides: what a person asked for, by domain.
    @ivar dane: TLSA records count; their answers must come from a resolver on
        this machine that checks DNSSEC.
    """

    resolver: Lookup
    overrides: Mapping[str, str] = field(factory=dict)
    dane: bool = True
    published: Published = _nothing
    told: Told = nobody

    def site(self, domain: str) -> "Deferred[SitePolicy]":
        """The policy for the mail of a domain; never fails."""
        return Deferred.fromCoroutine(self._site(domain.lower().rstrip(".")))

    async def _site(self, domain: str) -> SitePolicy:
        override = self.overrides.get(domain, "")
        if override:
            return SitePolicy(domain, override)
        return SitePolicy(domain, sts=await self.published(domain))

    def hop(
        self, hop: NextHop, policy: SitePolicy, secure: bool
    ) -> "Deferred[NextHop]":
        """
        A hop as it must be spoken to.

        @param secure: the answer that named the host was checked by DNSSEC, or it
            was a person who did.
        Fails with L{NotSafe}: it must not be spoken to now.
        """
        return Deferred.fromCoroutine(self._hop(hop, policy, secure))

    async def _hop(self, hop: NextHop, policy: SitePolicy, secure: bool) -> NextHop:
        base: str = hop.host
        records: tuple[TLSA, ...] = ()
        if secure and policy.asks_dane and self._may_use_dane(policy):
            base, records = await self._records(hop, policy)
        try:
            return policy.hop(hop, records, base)
        except Unsafe as error:
            proof = Proof(fault="dane-required", why=str(error), good=False)
            self.told(policy, hop, proof)
            raise NotSafe(str(error)) from None

    def _may_use_dane(self, policy: SitePolicy) -> bool:
        return self.dane or policy.override == "dane-only"

    async def _records(self, hop: NextHop, policy: SitePolicy) -> _Records:
        """
        The TLSA records of a host, if DNSSEC vouches for them, and whose.

        @raise NotSafe: there may be some, and we are kept from seeing them.
        """
        try:
            for base in await self._bases(hop.host):
                name = f"_{hop.port}._tcp.{base}"
                answer = await self.resolver.lookup(name, "TLSA")
                if answer.status == "ok" and answer.secure:
                    return base, tuple(answer.records[:MOST])
        except DNSTrouble as error:
            # RFC 7672 §2.1.2: who can stop an answer could stop TLS.
            why = f"TLS is not safe: the TLSA records of {hop.host} are hidden: {error}"
            proof = Proof(fault="dnssec-invalid", why=why, good=False)
            self.told(policy, hop, proof)
            raise NotSafe(why) from None
        return hop.host, ()

    async def _bases(self, host: str) -> list[str]:
        """
        The names below which there may be records for a host; none where its
        addresses are in no signed zone.

        RFC 7672 §2.2.2: there are no records then, and some name servers do
        not even answer that.

        @raise DNSTrouble: nobody can say.
        """
        if is_address(host):
            return []
        trouble: DNSTrouble | None = None
        owners: list[str] = []
        for rdtype in ("A", "AAAA"):
            try:
                answer = await self.resolver.lookup(host, rdtype)
            except DNSTrouble as error:
                trouble = error
                continue
            if answer.secure:
                return list(dict.fromkeys((answer.owner or host, host)))
            owners.append(answer.owner)
        if trouble is not None and not owners:
            # One answer is enough: both kinds are in the same zone.
            raise trouble
        if any(owners) and (await self.resolver.lookup(host, "CNAME")).secure:
            # Where it leads to is not signed; that it leads there is.
            return [host]
        return []

    def note(self, policy: SitePolicy) -> Callable[[NextHop, Proof], object]:
        """Whom C{Hops.line} is to tell what became of TLS."""
        return lambda hop, proof: self.told(policy, hop, proof)
