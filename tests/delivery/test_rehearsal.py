"""How mail would go, without any."""

from collections.abc import Callable

from attrs import evolve

from smfd.delivery.rehearsal import Found, Rehearsal
from smfd.delivery.tlspolicy import TLSPolicies
from smfd.net.smtp_client import Patience
from smfd.net.smtp_client_open import Hops
from smfd.policy.mx import NoWay
from tests.delivery.world import WorldCase
from tests.store.making import REACTOR


class RehearsalTests(WorldCase):
    """What an operator is shown who asks why mail does not go."""

    async def rehearse(self, domain: str, live: bool = True) -> Found:
        """Go the way."""

        def watched(step: Callable[[str], object]) -> Hops:
            return self.connections(step=step, patience=Patience(5, 1, 1, 1))

        where = evolve(self.where, port=self.port or 25)
        return await Rehearsal(where, self.tls, REACTOR, watched).of(domain, live)

    async def test_each(self) -> None:
        """Each server with how far it let us come, and what is wrong with it."""
        good = self.server(2, "a.mx")
        self.server(3, "b.mx", **{"220": b"554 5.7.1 you are listed\r\n"})
        self.zone["c.mx"] = {"A": ["127.0.0.4"]}
        self.server(
            5, "d.mx", EHLO=b"250-d\r\n250 STARTTLS\r\n", STARTTLS=b"220 go\r\n"
        )
        self.mx("far.test", "10 a.mx", "20 b.mx", "30 c.mx", "40 d.mx")
        found = await self.rehearse("far.test")
        a, b, c, d = found.servers
        self.assertEqual(["connection", "EHLO"], [step.name for step in a.steps])
        self.assertEqual(
            ("", "", ("8BITMIME", "PIPELINING", "SIZE")), (a.trouble, a.tls, a.offers)
        )
        self.assertEqual("it does not offer TLS", a.fault)
        self.assertEqual(["connection"], [step.name for step in b.steps])
        self.assertEqual("554 5.7.1 you are listed", b.trouble)
        self.assertEqual((), c.steps)
        self.assertIn("cannot connect", c.trouble)
        names = [step.name for step in d.steps]
        self.assertEqual(["connection", "STARTTLS", "connection", "EHLO"], names)
        self.assertEqual(("", True), (d.trouble, bool(d.fault)))
        self.assertEqual([b"EHLO mx.ours.test", b"QUIT"], good.heard)

    async def test_not_tried(self) -> None:
        """Unless it is asked for nobody is spoken to."""
        server = self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        found = await self.rehearse("far.test", live=False)
        (tried,) = found.servers
        self.assertEqual(("a.mx", "127.0.0.2"), (tried.hop.host, tried.hop.address))
        self.assertEqual(((), 0), (tried.steps, server.connections))

    async def test_not_safe(self) -> None:
        """A server that mail may not go to is not spoken to, and it is said why."""
        server = self.server(2, "a.mx")
        self.mx("far.test", "10 a.mx")
        self.tls = TLSPolicies(self.resolver, {"far.test": "dane-only"})
        self.where = evolve(self.where, tls=self.tls)
        (tried,) = (await self.rehearse("far.test")).servers
        self.assertIn("no TLSA record", tried.trouble)
        self.assertEqual(0, server.connections)

    async def test_no_way(self) -> None:
        """Where there is no way it is said why."""
        self.mx("null.test", "0 .")
        with self.assertRaises(NoWay):
            await self.rehearse("null.test")
