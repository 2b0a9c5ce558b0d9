"""Tests for L{smfd.ctl.dkim}: the keys of a domain from the command line."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed

from smfd.console.api import API
from smfd.control.status import status
from smfd.delivery.signer import Signer
from smfd.net.dns import Answer, DNSTrouble
from tests.control.building import OPERATOR, reactor
from tests.ctl.asking import CtlTestCase

HOME = "home.example"


class Zone:
    """A DNS of TXT records; None: it does not answer."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] | None = {}

    def known(self, name: str, rdtype: str) -> Answer | None:
        """Nothing is known without asking."""
        return None

    def lookup(self, name: str, rdtype: str) -> Deferred[Answer]:
        """What is there."""
        if self.records is None:
            return fail(DNSTrouble("no answer"))
        found = self.records.get(name)
        return succeed(Answer("ok", (found,)) if found else Answer("nxdomain"))


class DKIMTests(CtlTestCase):
    """Keys from the first to the last."""

    async def open(self) -> None:
        """With a signer and a DNS."""
        await self.build()
        self.zone = Zone()
        signer = Signer(self.house.dkim, reactor)
        signer.setServiceParent(self.services)
        self.house = evolve(self.house, signer=signer, resolver=self.zone)
        self.config = self.home / "smfd.toml"
        self.config.write_text("[server]\nhostname = 'mx.home.example'\n")
        socket = self.home / "run" / "control.sock"
        socket.parent.mkdir(mode=0o700)
        API(self.house, socket, reactor).setServiceParent(self.services)

    def publish(self, found: dict[str, Any]) -> None:
        """As the zone of whoever reads what he is told."""
        assert self.zone.records is not None
        for key in found["keys"]:
            self.zone.records[key["name"]] = key["record"].encode()

    async def test_add(self) -> None:
        """A domain of before there were keys is told of, and given some."""
        await self.open()
        said = (await status(self.house, OPERATOR))["warnings"]
        self.assertIn(f"What {HOME} sends is not signed: dkim add {HOME}.", said)
        found = await self.done("dkim", "add", HOME.upper())
        self.assertEqual(
            ["active", "active", "spare", "spare"],
            sorted(key["state"] for key in found["keys"]),
        )
        self.assertNotIn("PRIVATE", str(found))
        said = (await status(self.house, OPERATOR))["warnings"]
        self.assertNotIn("signed", " ".join(said))
        again = await self.run_ctl("dkim", "add", HOME)
        self.assertEqual((1, True), (again.code, "has keys" in again.err))
        listed = await self.done("dkim", "list", HOME)
        self.assertEqual(4, listed["total"])

    async def test_new_domain(self) -> None:
        """A new domain has keys from the start."""
        await self.open()
        await self.done("domain", "add", "new.example")
        found = await self.done("dkim", "show", "new.example")
        self.assertEqual((4, True), (len(found["keys"]), found["signs"]))
        said = await self.run_ctl("dkim", "show", "new.example")
        for key in found["keys"]:
            self.assertIn(f"{key['name']}. TXT ", said.out)
        # RFC 1035 §3.3.14: no string has more than 255 octets.
        self.assertLess(max(map(len, said.out.split('"'))), 256)

    async def test_rotate(self) -> None:
        """Keys that nobody would find do not sign, unless somebody insists."""
        await self.open()
        found = await self.done("dkim", "add", HOME)
        refused = await self.run_ctl("dkim", "rotate", HOME)
        self.assertEqual(1, refused.code)
        spare = [key for key in found["keys"] if key["state"] == "spare"]
        for key in spare:
            self.assertIn(key["record"], refused.err.replace('" "', ""))
        self.publish(found)
        assert self.zone.records is not None
        self.zone.records[spare[0]["name"]] = b"v=DKIM1; p=AAAA"
        self.assertEqual(1, (await self.run_ctl("dkim", "rotate", HOME)).code)
        kept, self.zone.records = self.zone.records, None
        self.assertEqual(1, (await self.run_ctl("dkim", "rotate", HOME)).code)
        self.zone.records = kept
        self.publish(found)
        after = await self.done("dkim", "rotate", HOME)
        signing = {k["selector"] for k in after["keys"] if k["state"] == "active"}
        self.assertEqual({key["selector"] for key in spare}, signing)
        self.assertEqual(6, len(after["keys"]))
        forced = await self.done("dkim", "rotate", HOME, "--force")
        self.assertEqual(8, len(forced["keys"]))

    async def test_retire(self) -> None:
        """A stolen key signs no more, and its record may go at once."""
        await self.open()
        found = await self.done("dkim", "add", HOME)
        name = next(k["selector"] for k in found["keys"] if k["state"] == "active")
        said = await self.run_ctl("dkim", "retire", HOME, name)
        self.assertIn(f"{name}._domainkey.{HOME} out of the DNS now", said.out)
        self.assertEqual(1, (await self.run_ctl("dkim", "retire", HOME, "x")).code)

    async def test_no_domain(self) -> None:
        """What is not hosted has no keys."""
        await self.open()
        for word in "add", "show", "rotate":
            said = await self.run_ctl("dkim", word, "far.example")
            self.assertEqual(1, said.code)
            self.assertIn("far.example is not hosted here.", said.err)
