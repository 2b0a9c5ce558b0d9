"""Tests for L{smfd.ctl.dkim}: the keys of a domain from the command line."""

import subprocess
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher

from smfd.config.schema import Config
from smfd.console.api import API
from smfd.content.dkim_key import make_key
from smfd.content.signatures import verify
from smfd.control.reputation import show as reputation_page
from smfd.control.reputation_settings import reputation
from smfd.control.rotation import Terms
from smfd.control.status import status
from smfd.delivery.signer import Signer
from smfd.net.dns import Answer, DNSTrouble
from tests.control.building import OPERATOR, reactor
from tests.ctl.asking import CtlTestCase
from tests.delivery.test_signer import entry
from tests.store.test_directory_dkim import private

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
        zone = await self.run_ctl("dns", "new.example")
        for line in zone.out.splitlines():
            if line.startswith(found["keys"][0]["name"]):
                self.assertIn(line.partition(" TXT ")[2], said.out)
                break
        else:
            self.fail("the zone has it not")

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

    def write(self, text: str, mode: int = 0o600) -> str:
        """A file with a key."""
        path = self.home / "mail.private"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    async def test_import(self) -> None:
        """Who moves here signs with the key that the world knows, from then on."""
        await self.open()
        found = await self.done("dkim", "add", HOME)
        key = make_key("rsa")
        self.zone.records = {f"mail._domainkey.{HOME}": key.record.encode()}
        said = await self.run_ctl(
            "dkim", "import", HOME, "Mail", self.write(key.private)
        )
        self.assertEqual((0, ""), (said.code, said.err))
        self.assertIn(f"delete {self.home}/mail.private.", said.out)
        self.assertNotIn("WARNING", said.out)
        first, second = await self.house.dkim.signing(HOME)
        self.assertEqual(("mail", "ed25519"), (first.selector, second.algorithm))
        data = b"From: <ann@home.example>\r\n\r\nHi.\r\n"
        assert self.house.signer is not None
        made = await self.house.signer.signed(entry(data))
        (result, _) = verify(
            made.top + data,
            {
                "keys": {
                    f"mail._domainkey.{HOME}": key.record,
                    second.selector: "",
                }
            },
        )
        self.assertEqual(("pass", "mail"), (result["result"], result["selector"]))
        after = await self.done("dkim", "show", HOME)
        old = {k["selector"]: k["state"] for k in found["keys"]}
        states = {k["selector"]: k["state"] for k in after["keys"]}
        spare = {name for name, state in old.items() if state == "spare"}
        self.assertEqual({"spare"}, {states[name] for name in spare})
        act = (await self.house.directory.acts(HOME)).items[0]
        self.assertEqual(("dkim import", "mail"), (act.act, act.detail))

    async def test_import_refused(self) -> None:
        """What others would not find, or is no key, signs nothing unless forced."""
        await self.open()
        await self.done("dkim", "add", HOME)
        before = await self.done("dkim", "list")
        key = make_key("ed25519")
        path = self.write(key.private, 0o644)
        for selector, said in (
            ("mail", f'mail._domainkey.{HOME}. TXT "{key.record}"'),
            ("not a name", "is no selector"),
            ("a..b", "is no selector"),
        ):
            refused = await self.run_ctl("dkim", "import", HOME, selector, path)
            self.assertEqual((1, True), (refused.code, said in refused.err), refused)
        refused = await self.run_ctl("dkim", "import", "far.example", "mail", path)
        self.assertIn("is not hosted here", refused.err)
        self.assertEqual(before, await self.done("dkim", "list"))
        said_ = await self.run_ctl("dkim", "import", HOME, "mail", path, "--force")
        self.assertEqual(0, said_.code, said_)
        self.assertIn("WARNING: Others on this machine may read", said_.out)
        again = await self.run_ctl("dkim", "import", HOME, "mail", path, "--force")
        self.assertIn("has, or had, a key 'mail'", again.err)
        wrong = self.write("-----BEGIN PUBLIC KEY-----\n")
        refused = await self.run_ctl("dkim", "import", HOME, "other", wrong)
        self.assertIn("public half", refused.err)

    async def test_import_piped(self) -> None:
        """A short key comes from a pipe, and is taken with a warning."""
        await self.open()
        command = ["openssl", "genrsa", "-traditional", "1024"]
        short = subprocess.run(command, check=True, capture_output=True, text=True)
        arguments = ("dkim", "import", HOME, "mail", "-", "--force")
        said = await self.run_ctl(*arguments, piped=short.stdout)
        self.assertEqual(0, said.code, said)
        self.assertIn("WARNING: It has less than 2048 bits", said.out)
        self.assertNotIn("delete", said.out)

    async def test_told_nobody(self) -> None:
        """No answer, no log and no act ever has a line of a private key."""
        await self.open()
        log: list[LogEvent] = []
        observer = cast(ILogObserver, log.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        key = make_key("rsa")
        path = self.write(key.private)
        heard = []
        for words in (
            ("dkim", "import", HOME, "mail", path),
            ("dkim", "import", HOME, "no name", path),
            ("dkim", "import", HOME, "mail", path, "--force"),
            ("dkim", "import", HOME, "mail", path, "--force"),
            ("dkim", "add", HOME),
            ("dkim", "show", HOME),
            ("dkim", "list"),
            ("dns", HOME),
            ("dns", HOME, "--check"),
            ("domain", "show", HOME),
            ("audit",),
            ("status",),
            ("dkim", "rotate", HOME, "--force"),
            ("dkim", "retire", HOME, "mail"),
        ):
            heard += [await self.run_ctl(*words), await self.run_ctl(*words, "--json")]
        text = "\n".join([*map(str, heard), *map(formatEvent, log), repr(log)])
        stored = [one for _, one in await self.house.directory.ask(private) if one]
        self.assertEqual(4, len(stored))
        for kept in (key.private, *stored):
            for line in kept.splitlines()[1:-1]:
                self.assertNotIn(line, text)
        self.assertNotIn("PRIVATE KEY", text)

    async def test_looked(self) -> None:
        """What the DNS does not have, and what is old, is marked as that."""
        await self.open()
        await self.done("dkim", "add", HOME)
        turn = self.house.rotation
        assert turn is not None
        await turn.look()
        said = await self.run_ctl("dkim", "show", HOME)
        self.assertEqual(4, said.out.count("^ NOT FOUND in the DNS"))
        self.assertNotIn("LATE", said.out)
        turn.terms = Terms(age=1e-3)
        said = await self.run_ctl("dkim", "show", HOME)
        self.assertEqual(2, said.out.count("^ LATE: it signs since 20"))
        said = await self.run_ctl("dkim", "list")
        self.assertEqual(2, said.out.count(", LATE\n"))

    async def test_unfound(self) -> None:
        """Signatures that prove nothing are among the answers to why others refuse."""
        await self.open()
        await self.done("dkim", "add", HOME)
        await self.done("domain", "add", "other.example")
        assert self.house.quota is not None
        made = reputation(
            Config(self.home / "smfd.toml"), self.house.quota.bounced, reactor
        )
        made.listings.resolver = self.zone
        made.file.setServiceParent(self.services)
        house = evolve(self.house, reputation=made)
        turn = house.rotation
        assert turn is not None
        for unfound in True, False:
            await turn.look()
            said = f"DKIM keys that sign for {HOME}"
            for domain in "", HOME:
                found = await reputation_page(house, OPERATOR, domain=domain)
                answer = " ".join(found["answer"])
                self.assertEqual(unfound, said in answer, (domain, answer))
            self.publish(await self.done("dkim", "show", HOME))

    async def test_no_domain(self) -> None:
        """What is not hosted has no keys."""
        await self.open()
        for word in "add", "show", "rotate":
            said = await self.run_ctl("dkim", word, "far.example")
            self.assertEqual(1, said.code)
            self.assertIn("far.example is not hosted here.", said.err)
