"""Tests for L{smfd.ctl.reputation}: why others reject us, on the command line."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed

from smfd.config.schema import Config
from smfd.console.api import API
from smfd.control.reputation import show
from smfd.control.reputation_settings import Reputation, reputation
from smfd.control.status import status
from smfd.format.dmarc_report import Report, Row
from smfd.format.tlsrpt import Failure, Outcome, TLSReport
from smfd.model.attempt import Attempt
from smfd.model.entry import REMOTE, Consignment, Recipient, State
from smfd.model.transaction import Body
from smfd.net.dns_answer import Answer, DNSTrouble
from smfd.proto.reply import Reply, reply
from tests.control.building import OPERATOR, reactor
from tests.ctl.asking import CtlTestCase

ANN, BOB = "ann@home.example", "bob@example.net"
OURS = "192.0.2.25"
HOST, PUBLIC = "mx.home.example", "8.8.4.4"


class Names:
    """A DNS that knows one listing, our hostname and nothing else."""

    def known(self, name: str, rdtype: str) -> Answer | None:
        """Nothing is."""
        return None

    def lookup(self, name: str, rdtype: str) -> Deferred[Answer]:
        """What is known."""
        known = {
            ("25.2.0.192.zen.spamhaus.org", "A"): "127.0.0.2",
            (HOST, "A"): PUBLIC,
        }
        found = known.get((name, rdtype))
        if found is None:
            return fail(DNSTrouble("no answer"))
        return succeed(Answer("ok", (found,)))


class ReputationTests(CtlTestCase):
    """One page that answers it (S26)."""

    async def open(self) -> None:
        """With a day's tries."""
        await super().open()
        path = self.home / "smfd.toml"
        settings: Any = Config(path)
        ours = evolve(
            settings.reputation, addresses=(OURS,), lists=("zen.spamhaus.org",)
        )
        config = evolve(settings, reputation=ours)
        assert self.house.quota is not None
        made: Reputation = reputation(
            evolve(config, server=evolve(config.server, home=str(self.home))),
            self.house.quota.bounced,
            reactor,
        )
        made.listings.resolver = Names()
        self.ours = made
        house = evolve(self.house, reputation=made)
        for service in made.services():
            service.setServiceParent(self.services)
        api = next(s for s in self.services if isinstance(s, API))
        await api.disownServiceParent()
        socket = self.home / "run" / "control.sock"
        API(house, socket, reactor).setServiceParent(self.services)
        self.house = house

    def tried(
        self,
        answer: Reply,
        *,
        to: str = BOB,
        host: str = "mx.a.example",
        sender: str = ANN,
    ) -> None:
        """One try."""
        c = Consignment(
            "id",
            0.0,
            sender,
            Body(2, b"x\n"),
            b"",
            (),
            Recipient(1, to, REMOTE),
            0,
            ANN,
        )
        now = reactor.seconds()
        note = self.ours.deliverability.note
        state = State.FAILED if answer.code >= 500 else State.DELIVERED
        address = "198.51.100.1"
        note(Attempt(now, c, host, address, OURS, "", answer, state=state))

    async def test_page(self) -> None:
        """Providers, causes with advice, our addresses, the worst account."""
        await self.open()
        for _ in range(60):
            self.tried(reply(250, "2.0.0", "ok"), host="mx.google.com")
        for _ in range(30):
            spam = reply(550, "5.7.1", f"<{BOB}> (S3150) on our block list")
            self.tried(spam, host="x.protection.outlook.com")
        for _ in range(20):
            self.tried(reply(550, "5.7.1", "Your message is spam"))
        await self.ours.listings.look()
        found = await self.done("reputation", "--domain", "home.example")
        by_name = {one["provider"]: one for one in found["providers"]}
        self.assertEqual(60, by_name["google"]["sent"])
        worst = by_name["microsoft"]
        self.assertEqual((30, 1.0), (worst["rejected"], worst["rejected_share"]))
        self.assertEqual("reputation_address", worst["causes"][0]["kind"])
        self.assertIn("[address] (S3150)", worst["causes"][0]["sample"])
        self.assertIn("SNDS", worst["causes"][0]["advice"])
        self.assertEqual(60.0, worst["slowed_to"])
        (source,) = found["sources"]
        self.assertEqual((OURS, 60), (source["address"], source["sent"]))
        self.assertEqual("zen.spamhaus.org", source["listed"][0]["zone"])
        self.assertEqual(ANN, found["accounts"][0]["account"])
        self.assertIn(ANN, " ".join(found["answer"]))
        said = await self.run_ctl("reputation")
        self.assertRegex(said.out, r"microsoft +0 +0 +30 +100.0% +60 a minute +x{24}\n")
        self.assertIn("LISTED    zen.spamhaus.org: SBL", said.out)
        self.assertNotIn(BOB, said.out)
        warnings = (await status(self.house, OPERATOR))["warnings"]
        said_so = " ".join(warnings)
        self.assertRegex(said_so, "LISTED: zen.spamhaus.org has .* Look: reputation")

    async def test_proofs(self) -> None:
        """Of a domain it says how the DNS proves whose mail it is."""
        await self.open()
        found = await self.done("reputation", "--domain", "home.example")
        self.assertEqual([], found["dns"])
        made = evolve(self.house, resolver=Names())
        found = await show(made, OPERATOR, domain="home.example")
        checks = {one["what"]: one for one in found["dns"]}
        self.assertLessEqual({"spf", "dmarc"}, set(checks))
        self.assertIn("could not be looked up", checks["spf"]["fix"])
        self.assertEqual([], (await show(made, OPERATOR))["dns"])

    async def test_unread(self) -> None:
        """Reports to a mailbox that is not there, or that nobody reads, are told."""
        await self.open()
        mail = evolve(self.ours.mail, reports_to=ANN, complaints_to="fbl@home.example")
        house = evolve(self.house, reputation=evolve(self.ours, mail=mail))
        told = " ".join((await status(house, OPERATOR))["warnings"])
        self.assertIn("complaints_to: there is no mailbox fbl@home.example", told)
        self.assertIn("reports_to is not read: no stage has workers", told)

    async def test_reporter(self) -> None:
        """Who is to report, and is not of a hosted domain, is named."""
        await self.open()
        reporters = (("[a] reports_from", ANN), ("[b] reports_from", "a@b.example"))
        facts = evolve(self.house.facts, reporters=reporters)
        found = await status(evolve(self.house, facts=facts), OPERATOR)
        named = [line for line in found["warnings"] if "reports_from" in line]
        self.assertEqual(1, len(named), named)
        self.assertIn("[b] reports_from: a@b.example is not of a hosted", named[0])
        told = " ".join((await status(self.house, OPERATOR))["warnings"])
        self.assertNotIn("[reputation]", told)

    async def test_empty(self) -> None:
        """Where nothing was sent the page says so; what is no domain is refused."""
        await self.open()
        said = await self.run_ctl(
            "reputation", "--days", "1", "--domain", "home.example"
        )
        self.assertIn("Nothing was sent.", said.out)
        said = await self.run_ctl("reputation", "--domain", "..")
        self.assertEqual(1, said.code)

    async def test_not_ours(self) -> None:
        """A domain that is not ours is refused, unless it sent something lately."""
        await self.open()
        said = await self.run_ctl("reputation", "--domain", "nope")
        self.assertEqual((1, ""), (said.code, said.out))
        self.assertIn("nope is not hosted here, and sent nothing in 7 days", said.err)
        self.tried(reply(250, "2.0.0", "ok"), host="mx.google.com", sender="a@b.test")
        found = await self.done("reputation", "--domain", "b.test")
        self.assertEqual(1, found["total"]["sent"])

    async def test_suppression(self) -> None:
        """Listed with why and until when; removed, written down, and gone."""
        await self.open()
        self.tried(reply(550, "5.1.1", "User unknown"))
        page = await self.done("suppression", "list", "--domain", "home.example")
        (one,) = page["items"]
        self.assertEqual(
            ("home.example", BOB, 1, "550 5.1.1 User unknown"),
            (one["domain"], one["recipient"], one["times"], one["why"]),
        )
        refusal = self.ours.deliverability.refusal
        self.assertTrue(refusal(ANN, BOB))
        said = await self.run_ctl("suppression", "remove", "home.example", BOB)
        self.assertEqual(f"home.example may write to {BOB} again.\n", said.out)
        self.assertEqual("", refusal(ANN, BOB))
        acts = (await self.house.directory.acts(f"home.example to {BOB}")).items
        self.assertEqual(["suppression remove"], [act.act for act in acts])
        said = await self.run_ctl("suppression", "remove", "home.example", BOB)
        self.assertEqual(1, said.code)
        self.assertIn("already.\nsuppression list names ", said.err)

    async def test_dmarc(self) -> None:
        """Who sends in a domain's name, in sentences and by address."""
        await self.open()
        listings = self.ours.listings
        listings.hostname, listings.addresses, listings.at = HOST, {}, 0.0
        rows = (
            Row(PUBLIC, 90, "none", True, True, "home.example", "dkim=pass"),
            Row("198.51.100.7", 10, "reject", False, False, "home.example", "spf=fail"),
        )
        now = int(reactor.seconds())
        report = Report("home.example", "Them", "n1", now - 9, now, "p=reject", rows)
        await self.ours.reports.put(report, "them.example", now)
        found = await self.done("dmarc", "reports", "home.example")
        self.assertEqual((100, 90), (found["messages"], found["passed"]))
        self.assertEqual(
            [("198.51.100.7", False, 10), (PUBLIC, True, 0)],
            [(s["address"], s["ours"], s["kept_back"]) for s in found["sources"]],
        )
        self.assertEqual("them.example", found["items"][0]["sender"])
        said = await self.run_ctl("dmarc", "reports", "home.example")
        self.assertIn("10 messages from elsewhere did not pass", said.out)
        self.assertRegex(said.out, rf"{PUBLIC} +yes +90 +90 +90 +90 +0 +dkim=pass\n")
        self.assertRegex(said.out, r"Them +them.example +100 +90 +p=reject\n")
        said = await self.run_ctl("dmarc", "reports", "a.example")
        self.assertEqual(1, said.code)

    async def test_tls(self) -> None:
        """What fails when others send to us, in sentences and by fault."""
        await self.open()
        now = reactor.seconds()
        host, domain = "mx.home.example", "home.example"
        failures = (
            Failure("certificate-expired", 7, host=host),
            Failure("sts-policy-fetch-error", 2, why="404"),
        )
        good = Outcome("no-policy-found", domain, good=90)
        bad = Outcome("sts", domain, good=1, failures=failures)
        for name in ("n1", "n1", "n2"):
            report = TLSReport("Them", "", name, now - 9, now, (good, bad))
            for outcome in report.outcomes:
                await self.ours.tls.put(report, outcome, "them.example", now)
        found = await self.done("tls", "reports", domain)
        self.assertEqual((182, 18, 4), (found["good"], found["bad"], found["total"]))
        self.assertEqual(
            [
                ("certificate-expired", host, 14, 1),
                ("sts-policy-fetch-error", "", 4, 1),
            ],
            [
                (f["result"], f["host"], f["connections"], f["reporters"])
                for f in found["faults"]
            ],
        )
        said = await self.run_ctl("tls", "reports", domain)
        self.assertIn(f"{host} has a certificate that is not valid any more", said.out)
        self.assertIn("mta-sts.home.example", " ".join(said.out.split()))
        self.assertIn("Of 200 connections to home.example 18 failed.", said.out)
        self.assertRegex(said.out, r"Them +them.example +sts +1 +9\n")
        said = await self.run_ctl("tls", "reports", domain, "--limit", "1")
        self.assertIn("1 of 4;", said.out)
        self.assertEqual(1, (await self.run_ctl("tls", "reports", "a.example")).code)
        await self.house.directory.add_domain("other.example", actor="uid:test")
        said = await self.run_ctl("tls", "reports", "other.example")
        self.assertIn("No reports came", said.out)
