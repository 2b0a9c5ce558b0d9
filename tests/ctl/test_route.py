"""Tests for L{smfd.ctl.route}: where mail would go, on the command line."""

from attrs import evolve

from smfd.console.api import API
from smfd.delivery.rehearsal import Rehearsal
from smfd.delivery.tlspolicy import TLSPolicies
from smfd.delivery.where import Where
from smfd.net.dns import Resolver
from smfd.net.smtp_client_open import Hops, Step
from smfd.policy.mx import Bounds
from smfd.policy.networks import networks
from smfd.policy.route import Routes, parse_hop
from tests.control.building import reactor
from tests.ctl.asking import CtlTestCase

RECORDS = [
    ("smart.example", "A", "127.0.0.2"),
    ("far.example", "MX", "10 smart.example"),
]


class RouteTests(CtlTestCase):
    """A route of a person's, and what the DNS says."""

    async def go(self, **routes: str) -> None:
        """A house that sends mail, with these routes and their TLS."""
        await self.build()
        self.config = self.home / "smfd.toml"
        self.config.write_text("[server]\nhostname = 'mx.home.example'\n")
        resolver = Resolver(reactor, static=RECORDS, offline=True)
        policies = TLSPolicies(resolver)
        hop = parse_hop("smtp://smart.example:587")
        named = {
            f"{name}.example": evolve(hop, tls=tls) for name, tls in routes.items()
        }
        bounds = Bounds(allowed=networks(["127.0.0.0/8"]))
        where = Where(resolver, policies, bounds, routes=Routes(named))

        def watched(step: Step) -> Hops:
            raise AssertionError("nobody is to be spoken to")

        rehearsal = Rehearsal(where, policies, reactor, watched)
        house = evolve(self.house, rehearsal=rehearsal)
        socket = self.home / "run" / "control.sock"
        socket.parent.mkdir(mode=0o700)
        API(house, socket, reactor).setServiceParent(self.services)

    async def test_routes(self) -> None:
        """It says that a person named the server, and how safe it must be."""
        await self.go(a="dane", b="verify", c="dane-only")
        for name, level, must in (
            ("a", "dane", "opportunistic"),
            ("b", "verify", "verify"),
        ):
            said = await self.run_ctl("route", f"{name}.example")
            first = f"Mail for {name}.example goes by route: the settings ask for"
            self.assertEqual(f"{first} {level}", said.out.splitlines()[0])
            self.assertIn(
                f"smart.example [127.0.0.2]:587\n  TLS must be: {must}", said.out
            )
        said = await self.run_ctl("route", "c.example")
        self.assertEqual(1, said.code)
        self.assertIn("NO: TLS is not safe: smart.example has no TLSA record", said.out)

    async def test_mx(self) -> None:
        """Without a route it is the DNS that names servers, and not proven."""
        await self.go()
        said = await self.run_ctl("route", "far.example")
        self.assertIn("goes by MX: no DNSSEC\n", said.out)
