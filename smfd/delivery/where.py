"""
Where the mail for a domain goes on to: a person's route, or what the DNS says.

Standards: RFC 5321 §5.1.
"""

import random
from collections.abc import Callable

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from smfd.delivery.tlspolicy import SitePolicy, TLSPolicies
from smfd.model.hop import NextHop
from smfd.model.said import Said
from smfd.net.dns import Answer, DNSTrouble, Lookup
from smfd.policy.mx import (
    Bounds,
    Exchanger,
    Exchangers,
    NoWay,
    Server,
    by_turns,
    exchangers,
    servers,
)
from smfd.policy.networks import Networks, is_address, within
from smfd.policy.origins import Origins
from smfd.policy.route import Routes, parse_hop


@frozen
class Way:
    """
    The servers for a domain's mail.

    @ivar hops: in the order in which they are tried; at least one.
    @ivar policy: how safe it must be; None where the hops say all of it.
    @ivar secure: the answer that named them was checked by DNSSEC, or no answer
        did.
    @ivar routed: a person named them, and not the DNS.
    """

    hops: tuple[NextHop, ...]
    policy: SitePolicy | None = None
    secure: bool = False
    routed: bool = False


def unrouted(site: str) -> str:
    """Nobody sends a domain's mail elsewhere."""
    return ""


@frozen
class Where:
    """
    Knows the way to every domain of the world.

    @ivar port: of MX hosts.
    @ivar literals: networks whose addresses may stand for a domain.
    @ivar route_of: where a person sends a domain's mail just now, as
        L{parse_hop} reads it; "" where the mail goes its usual way.
    """

    resolver: Lookup
    tls: TLSPolicies
    bounds: Bounds = field(factory=Bounds)
    origins: Origins = field(factory=Origins)
    routes: Routes = field(factory=Routes)
    port: int = 25
    literals: Networks = ()
    route_of: Callable[[str], str] = unrouted
    _rng: random.Random = field(factory=random.Random, init=False, repr=False)

    async def of(self, site: str, own: bool = True, despite_tls: bool = False) -> Way:
        """
        The way to a domain.

        @param own: our users wrote it; else it is a bounce or a forward.
        @param despite_tls: what the domain asks for of TLS is not obeyed.
        @raise NoWay: there is none, for now or for ever.
        """
        route = self._rerouted(site) or self.routes.of(site)
        if route is not None:
            return await self._routed(route, site, own, despite_tls)
        if site.startswith("[") or not site:
            return Way(self._there(site, own))
        return await self._found(site, own, despite_tls)

    def _there(self, site: str, own: bool) -> tuple[NextHop, ...]:
        """RFC 5321 §4.1.3: the server at an address that stands for a domain."""
        address = site[1:-1].removeprefix("ipv6:")
        if not within(address, self.literals):
            no = f"{site or 'no domain'} is not where mail is sent"
            raise NoWay(Said("5.1.3", no, 550))
        known = Exchangers((Exchanger(address, addresses=(address,)),))
        bounds = evolve(self.bounds, allowed=self.literals)
        return tuple(self._to(one, site, own) for one in servers(site, known, bounds))

    def _rerouted(self, site: str) -> NextHop | None:
        written = self.route_of(site)
        if not written:
            return None
        try:
            hop = parse_hop(written)
        except ValueError as error:
            raise NoWay(Said("4.4.4", f"its route: {error}"), False) from None
        return hop if hop.path else evolve(hop, tls="dane")

    async def _routed(
        self, route: NextHop, site: str, own: bool, despite_tls: bool
    ) -> Way:
        """A person's next hop, at each of its addresses."""
        if route.path:
            return Way((route,), routed=True)
        host = await self._addresses(Exchanger(route.host))
        found = by_turns(host.addresses)
        # What the DNS does not know, the system may: localhost, /etc/hosts.
        hops = tuple(self._hop(route, site, a, own) for a in found) or (route,)
        # What the server published, and not what a person said of it.
        ignored = despite_tls and route.tls == "dane"
        # RFC 7672 §2.2.3: the name is that of the settings, so nobody forged it.
        policy = SitePolicy(route.host, "opportunistic" if ignored else route.tls)
        return Way(hops, policy, secure=True, routed=True)

    async def _found(self, site: str, own: bool, despite_tls: bool) -> Way:
        try:
            answer = await self.resolver.lookup(site, "MX")
        except DNSTrouble as error:
            raise NoWay(Said("4.4.3", str(error)), permanent=False) from None
        policy = await self._policy(site, despite_tls)
        asked = (site, answer.status, answer.records, self.bounds.names)
        known = exchangers(*asked, self._rng, policy.permits)
        known = evolve(known, found=await self._all_addresses(known))
        tried = servers(site, known, self.bounds)
        hops = tuple(self._to(server, site, own) for server in tried)
        return Way(hops, policy, answer.secure)

    async def _policy(self, site: str, despite_tls: bool) -> SitePolicy:
        if despite_tls:
            return SitePolicy(site, "opportunistic")
        return await self.tls.site(site)

    def _to(self, server: Server, site: str, own: bool) -> NextHop:
        hop = NextHop("smtp", server.name, self.port)
        return self._hop(hop, site, server.address, own)

    def _hop(self, hop: NextHop, site: str, address: str, own: bool) -> NextHop:
        origin = self.origins.of(site, address, own, hop.host)
        return evolve(hop, address=address, origin=origin)

    async def _all_addresses(self, known: Exchangers) -> tuple[Exchanger, ...]:
        asked = [Deferred.fromCoroutine(self._addresses(x)) for x in known.found]
        return tuple(await gatherResults(asked))

    async def _addresses(self, host: Exchanger) -> Exchanger:
        """A server with its addresses, as far as they can be had."""
        if is_address(host.name):
            return evolve(host, addresses=(host.name,))
        kinds = ("AAAA", "A") if self.bounds.ipv6 else ("A",)
        answers = await gatherResults([self._ask(host.name, kind) for kind in kinds])
        trouble = next((str(a) for a in answers if isinstance(a, DNSTrouble)), "")
        found = [a for a in answers if isinstance(a, Answer)]
        addresses = tuple(address for a in found for address in a.records)
        return evolve(host, addresses=addresses, trouble=trouble)

    def _ask(self, name: str, kind: str) -> "Deferred[Answer | DNSTrouble]":
        return self.resolver.lookup(name, kind).addErrback(_trouble)


def _trouble(failure: Failure) -> DNSTrouble:
    failure.trap(DNSTrouble)
    assert isinstance(failure.value, DNSTrouble)
    return failure.value
