"""How safe mail must travel: DANE with a real resolver, MTA-STS, a person's word."""

import os
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.delivery.approach import Approach, Nobody
from smfd.delivery.tlspolicy import SitePolicy, TLSPolicies
from smfd.delivery.where import Where
from smfd.model.hop import TLSA, NextHop
from smfd.net.dns import Answer, DNSTrouble, Resolver
from smfd.net.smtp_client import Patience, Trouble
from smfd.net.smtp_client_open import Hops
from smfd.net.smtp_client_tls import Proof
from smfd.policy.mta_sts import STS
from smfd.policy.mx import Bounds
from smfd.policy.route import Routes, parse_hop
from smfd.policy.tls_site import Unsafe
from tests.authority import authority
from tests.delivery.next_hop import Hop
from tests.delivery.test_safe import UPGRADE
from tests.signed_zones import Unbound, Zone
from tests.store.making import REACTOR

ROOT = authority()
#: What the server shows: for every host name that the table has.
SERVER = ROOT.issue("ta.signed.test", "sts.signed.test")
STRANGER = authority("Stranger")
ENFORCE = STS("enforce", ("*.signed.test", "*.unsigned.test"), 86400)

RIGHT, WRONG = SERVER.tlsa(3, 1, 1), STRANGER.tlsa(3, 1, 1)
#: Host, and the records it has: the first label of the hosts below.
RECORDS: dict[str, tuple[TLSA, ...]] = {
    "ee": (RIGHT,),
    "whole": (SERVER.tlsa(3, 0, 0),),
    "ta": (ROOT.tlsa(2, 0, 1),),
    "ta-name": (ROOT.tlsa(2, 1, 1),),
    "wrong": (WRONG,),
    "wrong-ta": (STRANGER.tlsa(2, 1, 1),),
    "roll": (WRONG, RIGHT),
    "unusable": (SERVER.tlsa(1, 1, 1), TLSA(3, 1, 9, b"x")),
    "mixed": (SERVER.tlsa(1, 1, 1), WRONG),
    "many": tuple(evolve(WRONG, octets=bytes([n] * 32)) for n in range(60)),
    "none": (),
    "sts": (),
}

#: Hosts that are others.
ALIASES = {
    "to-ee": "ee.signed.test.",
    "to-wrong": "wrong.signed.test.",
    "to-ta": "ta.signed.test.",
    "to-none": "none.signed.test.",
    "own": "none.signed.test.",
    "away": "ee.unsigned.test.",
    "lost": "none.signed.test.",
}

#: Each host, and how it is spoken to when its name is from a signed zone.
DANE = {
    "ee.signed.test": "TLSv1.3 dane",
    "whole.signed.test": "TLSv1.3 dane",
    "ta.signed.test": "TLSv1.3 dane",
    "ta-name.signed.test": "refused",
    "wrong.signed.test": "refused",
    "wrong-ta.signed.test": "refused",
    "roll.signed.test": "TLSv1.3 dane",
    "unusable.signed.test": "TLSv1.3 required",
    "mixed.signed.test": "refused",
    "many.signed.test": "refused",
    "none.signed.test": "TLSv1.3 opportunistic",
    "nodata.signed.test": "TLSv1.3 opportunistic",
    "bogus.signed.test": "refused",
    "ee.unsigned.test": "TLSv1.3 opportunistic",
    "wrong.unsigned.test": "TLSv1.3 opportunistic",
    # RFC 7672 §2.2.2: nobody asks there, so nobody minds the missing answer.
    "bogus.unsigned.test": "TLSv1.3 opportunistic",
    # Other names for them: the records are found there, or here.
    "to-ee.signed.test": "TLSv1.3 dane",
    "to-wrong.signed.test": "refused",
    "to-ta.signed.test": "TLSv1.3 dane",
    "own.signed.test": "TLSv1.3 dane",
    "away.signed.test": "TLSv1.3 dane",
    "to-none.signed.test": "TLSv1.3 opportunistic",
    # Anybody may have said that it is that one.
    "to-ee.unsigned.test": "TLSv1.3 opportunistic",
    "lost.unsigned.test": "TLSv1.3 opportunistic",
    # Its records are in a zone where anybody may have written them.
    "lent.signed.test": "TLSv1.3 opportunistic",
}


def zone(port: int) -> str:
    """The hosts and their records."""
    lines = ["nodata A 127.0.0.1", f"_{port}._tcp.nodata TXT x", "bogus A 127.0.0.1"]
    for host, records in RECORDS.items():
        lines.append(f"{host} A 127.0.0.1")
        for r in records:
            data = f"{r.usage} {r.selector} {r.matching} {r.octets.hex()}"
            lines.append(f"_{port}._tcp.{host} TLSA {data}")
    for host, target in ALIASES.items():
        lines.append(f"{host} CNAME {target}")
    lines.append("lent A 127.0.0.1")
    lines.append(f"_{port}._tcp.lent CNAME _{port}._tcp.wrong.unsigned.test.")
    right = f"TLSA 3 1 1 {RIGHT.octets.hex()}"
    lines += [f"_{port}._tcp.{host} {right}" for host in ("own", "away")]
    return "\n".join([*lines, "@ MX 10 ee", ""])


class ResolverCase(TestCase):
    """A server that speaks TLS, and a resolver that validates."""

    timeout = 60

    def setUp(self) -> None:
        home = Path(os.path.abspath(self.mktemp()))
        self.hop = Hop(dict(UPGRADE), context=SERVER.context(SERVER.chain()))
        listening = self.hop.listen()
        self.where = evolve(listening, address="127.0.0.1", tls="opportunistic")
        self.addCleanup(lambda: maybeDeferred(self.hop.close))
        port = self.where.port
        bogus = f"@ TLSA 3 1 1 {RIGHT.octets.hex()}\n"
        self.unbound = Unbound(
            home / "unbound",
            {
                "signed.test": Zone(zone(port)),
                "unsigned.test": Zone(zone(port), signed=False),
                f"_{port}._tcp.bogus.signed.test": Zone(bogus, days=-9),
                f"_{port}._tcp.bogus.unsigned.test": Zone(bogus, days=-9),
                f"_{port}._tcp.lost.unsigned.test": Zone(bogus, days=-9),
                "expired.test": Zone(
                    "@ MX 10 ee.signed.test.\na A 127.0.0.1\n", days=-9
                ),
            },
        )
        self.addCleanup(self.unbound.stop)
        self.unbound.start()
        servers = [f"127.0.0.1:{self.unbound.port}"]
        self.resolver = Resolver(REACTOR, servers, timeout=2, lifetime=4)
        trusted = ROOT.write(home / "root.pem")
        self.hops = Hops(REACTOR, "us.test", Patience(5, 2, 5, 5), trusted=trusted)
        self.addCleanup(self.hops.close)
        self.told: list[tuple[str, str, bool]] = []

    def policies(self, sts: STS | None = None, **how: Any) -> TLSPolicies:
        """Our side."""

        async def published(domain: str) -> STS | None:
            return sts

        def told(policy: SitePolicy, hop: NextHop, proof: Proof) -> None:
            self.told.append((policy.domain, proof.fault, proof.good))

        return TLSPolicies(self.resolver, published=published, told=told, **how)

    async def tried(
        self, policies: TLSPolicies, host: str, secure: bool, domain: str = "site.test"
    ) -> str:
        """Open a connection to a host, and say how safe it is."""
        self.hop.heard.clear()
        self.hops.hang_up()
        policy = await policies.site(domain)
        try:
            hop = await policies.hop(evolve(self.where, host=host), policy, secure)
            line = await self.hops.line(hop, policies.note(policy))
        except Trouble:
            self.assertNotIn(b"MAIL", b"".join(self.hop.heard))
            return "refused"
        line.client.drop()
        return line.tls


class DaneTests(ResolverCase):
    """TLSA records, looked up for real."""

    async def test_table(self) -> None:
        """Each host is spoken to as its records say, or waits."""
        policies = self.policies()
        for host, expected in DANE.items():
            self.assertEqual(expected, await self.tried(policies, host, True), host)

    async def test_insecure_mx(self) -> None:
        """A host that an unsigned answer named may be anybody's: no record counts."""
        policies = self.policies()
        for host in ("ee.signed.test", "wrong.signed.test", "bogus.signed.test"):
            got = await self.tried(policies, host, False)
            self.assertEqual("TLSv1.3 opportunistic", got, host)

    async def test_mx(self) -> None:
        """The answer for MX is secure where the zone is signed, and only there."""
        answer = await self.resolver.lookup("signed.test", "MX")
        self.assertTrue(answer.secure)
        answer = await self.resolver.lookup("unsigned.test", "MX")
        self.assertFalse(answer.secure)
        with self.assertRaises(DNSTrouble, msg="expired signatures"):
            await self.resolver.lookup("expired.test", "MX")

    async def test_hidden_address(self) -> None:
        """Who hides whether a host's zone is signed cannot turn DANE off so."""
        policies = self.policies()
        for host in ("a.expired.test", "b.expired.test"):
            self.assertEqual("refused", await self.tried(policies, host, True), host)

    async def test_off(self) -> None:
        """Where DANE is off, no records are asked for."""
        policies = self.policies(dane=False)
        got = await self.tried(policies, "wrong.signed.test", True)
        self.assertEqual("TLSv1.3 opportunistic", got)

    async def test_words(self) -> None:
        """Each failure is told, by the word that reports have for it."""
        policies = self.policies(overrides={"own.test": "dane-only"})
        for host, domain, fault in (
            ("ee.signed.test", "site.test", ""),
            ("wrong.signed.test", "site.test", "validation-failure"),
            ("ta-name.signed.test", "site.test", "certificate-host-mismatch"),
            ("bogus.signed.test", "site.test", "dnssec-invalid"),
            ("none.signed.test", "own.test", "dane-required"),
        ):
            self.told.clear()
            await self.tried(policies, host, True, domain)
            self.assertEqual([(domain, fault, not fault)], self.told, host)

    async def test_alias_name(self) -> None:
        """The name is asked for, and proven, that has the records."""
        asked: list[bytes | None] = []
        self.hop.context.getContext().set_tlsext_servername_callback(
            lambda connection: asked.append(connection.get_servername())
        )
        policies = self.policies()
        for host, name in (
            ("to-ee.signed.test", b"ee.signed.test"),
            ("own.signed.test", b"own.signed.test"),
            ("to-none.signed.test", b"to-none.signed.test"),
        ):
            await self.tried(policies, host, True)
            self.assertEqual(name, asked.pop())

    async def test_site_name(self) -> None:
        """Behind an authority the name may be the site's own (RFC 7672 §3.2.2)."""
        policies = self.policies()
        host = "ta-name.signed.test"
        got = await self.tried(policies, host, True, "ta.signed.test")
        self.assertEqual("TLSv1.3 dane", got)


class STSTests(ResolverCase):
    """MTA-STS, alone and beside DANE."""

    async def test_table(self) -> None:
        """An enforced policy wants a name and a signature; DANE counts more."""
        testing = evolve(ENFORCE, mode="testing")
        for sts, host, expected in (
            (ENFORCE, "sts.signed.test", "TLSv1.3 sts"),
            (ENFORCE, "none.signed.test", "refused"),
            (ENFORCE, "ee.signed.test", "TLSv1.3 dane"),
            (ENFORCE, "wrong.signed.test", "refused"),
            (ENFORCE, "unusable.signed.test", "refused"),
            (ENFORCE, "bogus.signed.test", "refused"),
            (ENFORCE, "ee.unsigned.test", "refused"),
            (testing, "sts.signed.test", "TLSv1.3 opportunistic"),
            (testing, "none.signed.test", "TLSv1.3 opportunistic"),
            (testing, "wrong.signed.test", "refused"),
            (evolve(ENFORCE, mode="none"), "none.signed.test", "TLSv1.3 opportunistic"),
        ):
            got = await self.tried(self.policies(sts), host, True)
            self.assertEqual(expected, got, (sts.mode, host))

    async def test_testing(self) -> None:
        """What would have failed is told."""
        policies = self.policies(evolve(ENFORCE, mode="testing"))
        await self.tried(policies, "none.signed.test", True)
        told = ("site.test", "certificate-host-mismatch", True)
        self.assertEqual([told], self.told)


class OverrideTests(ResolverCase):
    """What a person asked for counts most."""

    async def test_table(self) -> None:
        """Each word, where the domain asks for something else."""
        for word, host, expected in (
            ("none", "ee.signed.test", ""),
            ("opportunistic", "wrong.signed.test", "TLSv1.3 opportunistic"),
            ("opportunistic", "bogus.signed.test", "TLSv1.3 opportunistic"),
            ("required", "wrong.signed.test", "TLSv1.3 required"),
            ("verify", "sts.signed.test", "TLSv1.3 verify"),
            ("verify", "ee.signed.test", "refused"),
            ("dane-only", "ee.signed.test", "TLSv1.3 dane"),
            ("dane-only", "wrong.signed.test", "refused"),
            ("dane-only", "none.signed.test", "refused"),
            ("dane-only", "unusable.signed.test", "refused"),
            ("dane-only", "ee.unsigned.test", "refused"),
        ):
            policies = self.policies(ENFORCE, overrides={"site.test": word})
            got = await self.tried(policies, host, True, "Site.test.")
            self.assertEqual(expected, got, (word, host))


class RouteTests(ResolverCase):
    """A server that a person named: its own records count (RFC 7672 §2.2.3)."""

    async def by(self, host: str, tls: str, despite_tls: bool = False) -> str:
        """How the mail for any domain travels there."""
        self.hop.heard.clear()
        self.hops.hang_up()
        policies = self.policies()
        port = self.where.port
        route = evolve(parse_hop(f"smtp://{host}:{port}"), tls=tls)
        bounds = Bounds(ipv6=False)
        where = Where(self.resolver, policies, bounds, routes=Routes({"*": route}))
        way = await where.of("far.test", despite_tls=despite_tls)
        approach = Approach(way, self.hops, policies)
        try:
            line = await approach.line()
        except Nobody:
            self.assertNotIn(b"MAIL", b"".join(self.hop.heard))
            return "refused"
        approach.hang_up()
        return line.tls

    async def test_dane(self) -> None:
        """What its name has in signed zones is obeyed, as with the world's servers."""
        for host, expected in DANE.items():
            self.assertEqual(expected, await self.by(host, "dane"), host)

    async def test_levels(self) -> None:
        """What a person demands besides is no less than he said, and no more."""
        for tls, host, expected in (
            ("none", "wrong.signed.test", ""),
            ("opportunistic", "wrong.signed.test", "TLSv1.3 opportunistic"),
            ("required", "wrong.signed.test", "TLSv1.3 required"),
            ("verify", "sts.signed.test", "TLSv1.3 verify"),
            ("verify", "ee.signed.test", "refused"),
            ("dane-only", "ee.signed.test", "TLSv1.3 dane"),
            ("dane-only", "ta.signed.test", "TLSv1.3 dane"),
            ("dane-only", "wrong.signed.test", "refused"),
            ("dane-only", "none.signed.test", "refused"),
            ("dane-only", "unusable.signed.test", "refused"),
            ("dane-only", "ee.unsigned.test", "refused"),
            ("dane", "127.0.0.1", "TLSv1.3 opportunistic"),
            ("dane-only", "127.0.0.1", "refused"),
        ):
            self.assertEqual(expected, await self.by(host, tls), (tls, host))

    async def test_despite_tls(self) -> None:
        """A sender may wave what was published, and not what a person demands."""
        for tls, expected in (
            ("dane", "TLSv1.3 opportunistic"),
            ("dane-only", "refused"),
        ):
            got = await self.by("wrong.signed.test", tls, despite_tls=True)
            self.assertEqual(expected, got, tls)

    async def test_half_dark(self) -> None:
        """An unsigned zone has no records, though half of its answers are lost."""

        class Half:
            """A resolver that answers to one kind."""

            def __init__(self, whole: Resolver) -> None:
                self.known, self.whole = whole.known, whole

            def lookup(self, name: str, rdtype: str) -> Deferred[Answer]:
                """Ask, but for one."""
                if rdtype == "AAAA":
                    return fail(DNSTrouble("lost"))
                return self.whole.lookup(name, rdtype)

        self.resolver = cast(Resolver, Half(self.resolver))
        got = await self.by("wrong.unsigned.test", "dane")
        self.assertEqual("TLSv1.3 opportunistic", got)
        self.assertEqual("refused", await self.by("wrong.signed.test", "dane"))


class SitePolicyTests(SynchronousTestCase):
    """What is known before a server was chosen."""

    def test_permits(self) -> None:
        """Only an enforced policy keeps a host out, and a person's word lets it in."""
        wanted = SitePolicy("site.test", sts=ENFORCE)
        self.assertTrue(wanted.permits("mx.signed.test"))
        self.assertFalse(wanted.permits("mx.evil.test"))
        self.assertTrue(evolve(wanted, override="required").permits("mx.evil.test"))
        testing = SitePolicy("site.test", sts=evolve(ENFORCE, mode="testing"))
        self.assertTrue(testing.permits("mx.evil.test"))
        self.assertTrue(SitePolicy("site.test").permits("mx.evil.test"))

    def test_demand(self) -> None:
        """Two sites with one host and one demand share its connections."""
        hop = NextHop("smtp", "mx.test", 25)
        one, other = SitePolicy("one.test"), SitePolicy("other.test")
        self.assertEqual(one.hop(hop, (RIGHT,)), other.hop(hop, (RIGHT,)))
        self.assertNotEqual(one.hop(hop, (RIGHT,)), one.hop(hop, (WRONG,)))
        signed = ROOT.tlsa(2, 1, 1)
        self.assertNotEqual(one.hop(hop, (signed,)), other.hop(hop, (signed,)))
        with self.assertRaises(Unsafe):
            evolve(one, override="dane-only").hop(hop, ())
