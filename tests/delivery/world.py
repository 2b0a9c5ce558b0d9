"""A small world on loopback: a name server, and mail servers at 127.0.0.x."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import TestCase

from smfd.delivery.ending import LIFETIME, Told
from smfd.delivery.relay import RelayDestination, Road
from smfd.delivery.tlspolicy import TLSPolicies
from smfd.delivery.where import Where
from smfd.model.attempt import Attempt
from smfd.model.entry import NOTHING, Asked, Consignment, Outcome, Recipient
from smfd.net.dns import Resolver
from smfd.net.smtp_client import Patience
from smfd.net.smtp_client_open import Hops
from smfd.policy.mx import Bounds
from smfd.policy.networks import networks
from smfd.store.threads import Threads
from tests.delivery.next_hop import Hop
from tests.dns_stub import NameServer
from tests.store.making import REACTOR, make_entry

US = "mx.ours.test"
PATIENCE = Patience(connect=5, reply=5, piece=5, end=5)


def to(address: str, number: int = 1) -> Recipient:
    """Somebody of the world."""
    return Recipient(number, address, "remote", keeper="ours.test")


def letter(
    *addresses: str, sender: str = "ann@ours.test", asked: Asked = NOTHING
) -> tuple[Consignment, ...]:
    """A message to each of them."""
    recipients = [to(address, n) for n, address in enumerate(addresses, 1)]
    entry = make_entry(recipients=recipients)
    return evolve(entry, sender=sender, asked=asked).consignments()


class WorldCase(TestCase):
    """
    Mail for the world, from the DNS to the answers of its servers.

    @ivar zone: what the DNS says.
    @ivar told: each try.
    """

    timeout = 60
    ZONE: Mapping[str, Any] = {}

    def setUp(self) -> None:
        self.dns = NameServer(self.ZONE)
        self.dns.start(REACTOR)
        self.addCleanup(self.dns.stop)
        self.zone = self.dns.zone
        servers = [f"127.0.0.1:{self.dns.port}"]
        self.resolver = Resolver(REACTOR, servers, timeout=0.5, lifetime=1.0)
        self.home = Path(os.path.abspath(self.mktemp()))
        self.hands = Threads(REACTOR, "onward")
        self.hands.start()
        self.addCleanup(self.hands.stop)
        self.port = 0
        self.servers: list[Hop] = []
        self.told: list[Attempt] = []
        self.hops = self.connections()
        self.tls = TLSPolicies(self.resolver)
        bounds = Bounds(frozenset({US}), allowed=networks(["127.0.0.0/8"]), ipv6=False)
        self.where = Where(self.resolver, self.tls, bounds)

    def connections(self, **arguments: Any) -> Hops:
        """Some, that are closed at the end."""
        wanted = {"patience": PATIENCE, "connections": 20, "absence": 60.0}
        hops = Hops(REACTOR, US, **{**wanted, **arguments})
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close(hops)))
        return hops

    async def close(self, hops: Hops) -> None:
        """Hang up and close."""
        hops.close()
        for server in self.servers:
            if server.port is not None:
                await maybeDeferred(server.close)
                server.port = None

    def server(self, last: int, name: str = "", **says: Any) -> Hop:
        """One at 127.0.0.LAST, that the DNS knows by a name."""
        server = Hop({key.encode(): value for key, value in says.items()})
        hop = server.listen(address=f"127.0.0.{last}", port=self.port)
        self.port = hop.port
        self.servers.append(server)
        if name:
            self.zone[name] = {"A": [f"127.0.0.{last}"]}
        return server

    def mx(self, domain: str, *records: str) -> None:
        """What the DNS says of a domain's mail."""
        self.zone[domain] = {"MX": list(records)}

    def remote(self, lifetime: float = LIFETIME) -> RelayDestination:
        """The way to the world."""
        where = evolve(self.where, port=self.port or 25)
        road = Road(self.hops, self.hands, self.tls, tell=self.told.append)
        ending = Told(lifetime)
        return RelayDestination("remote", where.of, road, ending, REACTOR, self.home)

    async def send(
        self, batch: Sequence[Consignment], remote: RelayDestination | None = None
    ) -> list[Outcome]:
        """What became of each, in their order."""
        outcomes = await (remote or self.remote()).deliver(batch)
        self.assertEqual(len(batch), len(outcomes))
        self.assertEqual(len(batch), len(self.told))
        found = {o.key: o for o in outcomes}
        return [found[c.key] for c in batch]

    async def fate(self, *addresses: str, **more: Any) -> list[Outcome]:
        """What becomes of a message to each of them."""
        self.told.clear()
        return await self.send(letter(*addresses, **more))
