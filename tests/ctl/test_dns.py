"""Tests for L{smfd.ctl.dns}: a zone as we print it, served by a real unbound."""

from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.protocol import Factory

from smfd.console.api import API
from smfd.delivery.signer import Signer
from smfd.net.dns import Resolver
from smfd.net.https import HTTPS
from smfd.net.tls import make_self_signed
from smfd.policy.dns_site import Service
from smfd.policy.networks import networks
from tests.authority import authority
from tests.control.building import reactor
from tests.ctl.asking import CtlTestCase
from tests.net.test_https import Web
from tests.signed_zones import Unbound, Zone

HOME, ADDRESS = "home.example", "198.18.0.25"
REVERSE = "18.198.in-addr.arpa"
SERVICES = (
    Service("submissions", "mx.home.example", 465),
    Service("imaps", "imap.home.example", 993),
)
ROOT, LOOPBACK = authority(), networks(("127.0.0.0/8",))
PTR = Zone(f"25.0.{REVERSE}. PTR mx.home.example.\n", signed=False)


class DNSTests(CtlTestCase):
    """Printed, published, checked."""

    async def printed(self) -> str:
        """What the house says of its domain; it is asked by nobody before."""
        await self.build()
        certificate, _ = make_self_signed("mx.home.example")
        path = self.home / "cert.pem"
        path.write_bytes(certificate)
        signer = Signer(self.house.dkim, reactor)
        signer.setServiceParent(self.services)
        facts = evolve(self.house.facts, certificate=str(path), services=SERVICES)
        self.house = evolve(self.house, signer=signer, facts=facts)
        self.config = self.home / "smfd.toml"
        self.config.write_text("[server]\nhostname = 'mx.home.example'\n")
        socket = self.home / "run" / "control.sock"
        socket.parent.mkdir(mode=0o700)
        self.api = API(self.house, socket, reactor)
        self.api.setServiceParent(self.services)
        await self.done("dkim", "add", HOME)
        document = await self.done("dns", HOME)
        said = await self.run_ctl("dns", HOME)
        self.assertEqual(document["zone"], said.out)
        return str(document["zone"])

    async def publish(self, zone: str, signed: bool = True) -> None:
        """A name server has it, and the house asks that one."""
        zones = {HOME: Zone(zone, signed), REVERSE: PTR}
        unbound = Unbound(Path(self.mktemp()).absolute(), zones)
        unbound.start()
        self.addCleanup(unbound.stop)
        resolver = Resolver(reactor, [f"127.0.0.1:{unbound.port}"])
        await self.api.disownServiceParent()
        socket = self.home / "run" / "control.sock"
        https = HTTPS(reactor, resolver, self.trusted, LOOPBACK, self.web)
        house = evolve(self.house, resolver=resolver, https=https)
        self.api = API(house, socket, reactor)
        self.api.setServiceParent(self.services)

    def serve(self, policy: str) -> None:
        """The MTA-STS policy, on a web server; "" for none."""
        self.trusted = ROOT.write(Path(self.mktemp()).absolute())
        self.web = 1
        if not policy:
            return
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(policy)}\r\n"
        answer = f"{head}Content-Type: text/plain\r\n\r\n{policy}".encode()
        factory: Any = Factory.forProtocol(Web)
        factory.heard, factory.answer = b"", lambda to: to.write(answer)
        context = ROOT.issue(f"mta-sts.{HOME}").context()
        port = reactor.listenSSL(0, factory, context, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.web = port.getHost().port

    async def test_published(self) -> None:
        """Who publishes what is printed, with his address, has nothing to do."""
        zone = await self.printed()
        zone = zone.replace("ADDRESS", ADDRESS)
        for name in ("_25._tcp", "_mta-sts", "mx"):
            zone = zone.replace(f"\n;; {name}.", f"\n{name}.")
        self.serve((await self.run_ctl("dns", HOME, "--page", "mta-sts")).out)
        # Signed, and as Unbound itself reads it.
        for signed in True, False:
            await self.publish(f"{zone}\nmta-sts.{HOME}. IN A 127.0.0.1\n", signed)
            said = await self.done("dns", HOME, "--check")
            wrong = [one["what"] for one in said["checks"] if one["verdict"] != "OK"]
            self.assertEqual([] if signed else ["tlsa"], wrong)
            self.assertEqual(0, said["failed"])
            what = {one["what"] for one in said["checks"]}
            every = {"mx", "spf", "dkim", "dmarc", "tlsa", "ptr", "srv", "policy"}
            self.assertLess(every, what)
        # We have another name by now, and the policy does not know it.
        self.house = evolve(self.house, facts=evolve(self.house.facts, hostname="b.x"))
        await self.publish(f"{zone}\nmta-sts.{HOME}. IN A 127.0.0.1\n")
        heard = await self.run_ctl("dns", HOME, "--check")
        self.assertIn("add to it: mx: b.x", heard.out)
        self.assertEqual(1, heard.code)

    async def test_pages(self) -> None:
        """What a web server must have can be written to its file."""
        await self.printed()
        said = await self.run_ctl("dns", HOME, "--page", "mta-sts")
        self.assertTrue(said.out.startswith("version: STSv1\nmode: enforce\nmx: mx"))
        said = await self.run_ctl("dns", HOME, "--page", "autoconfig")
        self.assertTrue(said.out.startswith("<?xml"))
        for arguments in (("--page", "x"), ("--page", "mta-sts", "--check")):
            said = await self.run_ctl("dns", HOME, *arguments)
            self.assertEqual((2, ""), (said.code, said.out))

    async def test_unpublished(self) -> None:
        """Who publishes none of it is told all of it, and the exit code says so."""
        await self.printed()
        self.serve("")
        text = f'@ MX 10 mx.far.example.\n@ TXT "v=spf1 -all"\nmx A {ADDRESS}\n'
        text += '_mta-sts TXT "v=STSv1; id=1"\nmta-sts A 127.0.0.1\n'
        await self.publish(text, signed=False)
        said = await self.run_ctl("dns", HOME, "--check")
        self.assertEqual(1, said.code, said)
        for words in (
            "FAIL  MX    home.example\n      found: 10 mx.far.example\n",
            f"It does not let {ADDRESS} send, which we do; add what lacks: mx a:mx",
            f"OK    PTR   25.0.{REVERSE}",
            "FAIL  HTTPS https://mta-sts.home.example/.well-known/mta-sts.txt",
            "OK    TLSA  _25._tcp.mx.home.example",
            "WARN  SRV   _imaps._tcp.home.example\n      found: nothing\n",
        ):
            self.assertIn(words, said.out)

    async def test_unanswered(self) -> None:
        """Where nobody answers nothing is said to be wrong."""
        await self.printed()
        house = evolve(self.house, resolver=Resolver(reactor, offline=True))
        await self.api.disownServiceParent()
        self.api = API(house, self.home / "run" / "control.sock", reactor)
        self.api.setServiceParent(self.services)
        said = await self.done("dns", HOME, "--check")
        self.assertEqual({"WARN"}, {one["verdict"] for one in said["checks"]})
        far = await self.run_ctl("dns", "far.example")
        self.assertEqual(1, far.code)
