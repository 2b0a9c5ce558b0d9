"""What our own people send, from the dot to where it ends."""

from collections.abc import Sequence
from typing import Any

from attrs import define, evolve
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from smfd.control.quota import Quota
from smfd.format.pseudonym import pseudonym
from smfd.interfaces import IStage
from smfd.model.entry import Asked, Entry
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Result
from smfd.model.queue import Choice
from smfd.model.quota import Allowance
from smfd.model.transaction import Flow, Transaction
from smfd.net.conclusions import Conclusions
from smfd.proto.reply import Reply
from smfd.scan.chain import Chain
from smfd.smtpd.house_rules import HouseRules
from smfd.smtpd.notices import Notices
from smfd.smtpd.sent_trace import SentTracer
from smfd.smtpd.submitted import Submitted
from smfd.store.counters import Counters
from smfd.store.directory_holds import Holds
from smfd.store.directory_limits import Allowances
from smfd.store.directory_policies import Policies
from smfd.store.ledger import LedgerTrouble
from tests.sample import come
from tests.smtpd.fronts import ANN, BOB, NAME, FrontTestCase, address
from tests.store.making import REACTOR

FAR = "zoe@far.example"
LETTER = b"From: Ann <ann@home.example>\r\nBcc: secret@far.example\r\n\r\nHi.\r\n"


@implementer(IStage)
@define(eq=False)
class Virus:
    """Finds what it is told to, and remembers what it saw."""

    name = "virus"
    finding: Finding
    seen: list[Transaction]

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """That."""
        self.seen.append(transaction)
        return succeed([self.finding])


#: Not even able to be told.
NOBODY: Any = None
CLEAN = Finding("virus", "VIRUS_CLEAN", Result.PASS)
FOUND = Finding("virus", "VIRUS_FOUND", Result.FAIL, reason="Eicar was found")


class SubmittedTestCase(FrontTestCase):
    """Ann, who logged in, and the world."""

    async def open(self, finding: Finding = CLEAN, **limits: int) -> None:
        """The door behind the submission door."""
        await self.build()
        self.counters = Counters(self.home / "counters.db", REACTOR, REACTOR)
        self.counters.startService()
        self.addCleanup(self.counters.stopService)
        self.holds = Holds.of(self.directory)
        allowances = Allowances.of(self.directory, Allowance(**limits))
        queue = self.house.runner.queue
        self.quota = Quota.of(self.counters, allowances, self.holds, REACTOR, queue)
        acceptance = self.door.acceptance
        self.seen: list[Transaction] = []
        self.own = frozenset({ANN})
        self.policies = Policies(self.directory)
        custody = acceptance.custody
        custody = evolve(custody, recorder=evolve(custody.recorder, flow=Flow.OUTBOUND))
        notices = Notices(
            custody,
            self.directory,
            acceptance.recipients,
            NAME,
            self.name,
            REACTOR,
            Conclusions(REACTOR.seconds, 100),
        )
        self.submitted = Submitted(
            custody,
            Chain({"virus": Virus(finding, self.seen)}, 30.0, REACTOR),
            self.directory,
            acceptance.recipients,
            SentTracer(NAME, b"secret"),
            REACTOR,
            lambda account: succeed(self.own),
            self.quota,
            HouseRules(self.policies),
            notices,
        )

    async def hand_in(self, *to: str, data: bytes = LETTER, sender: str = ANN) -> Reply:
        """The reply to a whole message of Ann's."""
        session = evolve(self.session(), account=ANN, tls="TLSv1.3")
        forwards = tuple(Forward(address(one)) for one in to)
        envelope = Envelope(self.name(), address(sender), forwards)
        incoming = self.house.spool.receive(envelope.id)
        incoming.write(data)
        body = await come(incoming.finish())
        return await self.submitted.message(session, envelope, body)

    def mailbox(self, user: str) -> list[bytes]:
        """The messages in a mailbox."""
        local, _, domain = user.partition("@")
        found = (self.home / "mail" / domain / local / "new").glob("*")
        return [path.read_bytes() for path in found]

    async def out(self) -> list[str]:
        """Whose copies wait for the way out."""
        page = await self.house.ledger.due(("", 0), 100)
        found = [consignment.recipient for consignment in page]
        return [r.address for r in found if r.destination == "remote"]

    def held(self) -> list[str]:
        """The domains in whose quarantine something is."""
        root = self.home / "quarantine"
        return sorted(p.relative_to(root).parts[0] for p in root.glob("*/*/*"))


class WayTests(SubmittedTestCase):
    """Where it goes."""

    async def test_local(self) -> None:
        """To one of ours: straight into the mailbox, and never filtered (S17)."""
        await self.open()
        said = await self.hand_in(BOB)
        self.assertEqual(250, said.code, said)
        await self.until(lambda: self.mailbox(BOB))
        (found,) = self.mailbox(BOB)
        self.assertEqual([Flow.LOCAL], [t.flow for t in self.seen])
        for field in b"X-Spam", b"Authentication-Results", b"Bcc":
            self.assertNotIn(field, found)
        record = await self.record(said)
        self.assertEqual(("local", ANN), (record["flow"], record["account"]))

    async def test_world(self) -> None:
        """To the world: it waits for the way out, with what it lacked."""
        await self.open()
        said = await self.hand_in(FAR, BOB)
        self.assertEqual(250, said.code)
        await self.until(lambda: self.mailbox(BOB))
        self.assertEqual([FAR], await self.out())
        (found,) = self.mailbox(BOB)
        head = found.partition(b"\r\n\r\n")[0]
        self.assertIn(f"(account {pseudonym(b'secret', ANN)})".encode(), head)
        self.assertNotIn(b"192.0.2.1", head)
        self.assertEqual(1, head.count(b"\r\nMessage-ID: <"))
        self.assertEqual(1, head.count(b"\r\nDate: "))
        self.assertEqual("outbound", (await self.record(said))["flow"])

    async def test_asked(self) -> None:
        """With what the sender wants to be told, and who he is (RFC 3461)."""
        await self.open()
        session = evolve(self.session(), account=ANN, tls="TLSv1.3")
        forward = Forward(address(FAR), ("SUCCESS", "DELAY"), "rfc822;zoe@far.example")
        envelope = Envelope(
            self.name(), address(ANN), (forward,), body="8BITMIME", ret="FULL"
        )
        incoming = self.house.spool.receive(envelope.id)
        incoming.write(LETTER)
        body = await come(incoming.finish())
        made: list[Entry] = []
        keep = self.house.ledger.commit

        def commit(entry: Entry, **others: Any) -> Any:
            made.append(entry)
            return keep(entry, **others)

        self.patch(self.house.ledger, "commit", commit)
        await self.submitted.message(session, envelope, body)
        (entry,) = made
        self.assertEqual(Asked("FULL", "", "8BITMIME"), entry.asked)
        self.assertEqual(ANN, entry.account)
        (recipient,) = entry.recipients
        self.assertEqual("SUCCESS,DELAY", recipient.notify)
        self.assertEqual("rfc822;zoe@far.example", recipient.orcpt)

    async def test_forwarded(self) -> None:
        """To one of ours who reads his mail elsewhere: there, once."""
        await self.open()
        await self.directory.put_forward(BOB, (FAR,), False, actor="uid:test")
        self.assertEqual(250, (await self.hand_in(BOB)).code)
        self.assertEqual([FAR], await self.out())
        self.assertEqual(250, (await self.hand_in(BOB, FAR)).code)
        self.assertEqual([FAR, FAR], await self.out())
        self.assertEqual([], self.mailbox(BOB))


class VirusTests(SubmittedTestCase):
    """Viruses never pass."""

    async def test_local(self) -> None:
        """To one of ours: refused, and nothing is kept (S18)."""
        await self.open(FOUND)
        said = await self.hand_in(BOB)
        self.assertEqual((550, "5.7.1"), (said.code, said.status))
        self.assertIn("Eicar was found", said.lines[0])
        self.assertEqual([], await self.out())
        self.assertEqual("virus", (await self.record(said))["verdict"])
        self.assertEqual(([], []), (self.held(), self.mailbox(BOB)))

    async def test_world(self) -> None:
        """To the world: held by the sender's domain, and he is told (S23, C1)."""
        await self.open(FOUND)
        for _ in range(3):
            self.assertEqual(250, (await self.hand_in(FAR)).code)
        await self.until(lambda: len(self.held()) == 3)
        self.assertEqual(["home.example"] * 3, self.held())
        await self.until(lambda: self.mailbox(ANN))
        # However many there are: one letter an hour.
        (notice,) = self.mailbox(ANN)
        for words in b"Eicar was found", b"Auto-Submitted: auto-generated", b"<>":
            self.assertIn(words, notice)
        await self.until(lambda: self.mailbox("postmaster@home.example"))

    async def test_untold(self) -> None:
        """A letter that could not be kept is written with the next of the like."""
        await self.open(FOUND)
        commit = self.house.ledger.commit

        def full(entry: Entry, **others: Any) -> Any:
            return (
                commit(entry, **others)
                if entry.sender
                else fail(LedgerTrouble("no room"))
            )

        self.patch(self.house.ledger, "commit", full)
        self.assertEqual(250, (await self.hand_in(FAR)).code)
        await self.until(lambda: len(self.held()) == 1)
        self.patch(self.house.ledger, "commit", commit)
        self.assertEqual(250, (await self.hand_in(FAR)).code)
        await self.until(lambda: self.mailbox(ANN))
        self.assertEqual(1, len(self.mailbox(ANN)))

    async def test_both(self) -> None:
        """To both: refused whole, and one copy is kept (C2)."""
        await self.open(FOUND)
        said = await self.hand_in(BOB, FAR)
        self.assertEqual(550, said.code)
        await self.until(self.held)
        self.assertEqual(["home.example"], self.held())
        self.assertEqual([], self.mailbox(BOB))

    async def test_switched_off(self) -> None:
        """A domain may send unscanned to the world, and never to ours (C1)."""
        await self.open(FOUND)
        await self.directory.set_domain(
            "home.example", actor="uid:test", scan_outbound=False
        )
        self.assertEqual(250, (await self.hand_in(FAR)).code)
        self.assertEqual([FAR], await self.out())
        self.assertEqual([], self.seen)
        self.assertEqual(550, (await self.hand_in(FAR, BOB)).code)
        await self.until(lambda: self.mailbox("postmaster@home.example"))

    async def test_not_now(self) -> None:
        """What cannot be scanned now comes again."""
        await self.open(Finding("virus", "VIRUS_ERROR", Result.ERROR))
        said = await self.hand_in(BOB, FAR)
        self.assertEqual((451, []), (said.code, await self.out()))


@implementer(IStage)
@define(eq=False)
class Gate:
    """Finds nothing, when it is told to."""

    name = "virus"
    began: Deferred[None]
    may_end: Deferred[Sequence[Finding]]

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """In a while."""
        self.began.callback(None)
        return self.may_end


class MomentTests(SubmittedTestCase):
    """What is on its way in when its account is held (D5)."""

    async def suspended(self) -> int:
        """How many recipients wait until somebody has looked."""
        choice = Choice(account=ANN, states=("suspended",))
        return await self.house.reader.queue_count(choice, 100)

    async def stands(self) -> tuple[list[str], int]:
        """Who is to get it, and how many do not until somebody has looked."""
        # The first answer comes behind all that was asked of the ledger before.
        return await self.out(), await self.suspended()

    async def resume(self) -> None:
        """Somebody has looked."""
        await self.house.runner.queue.resume(Choice(account=ANN), "uid:test")

    async def scanned(self, let_go: bool = False) -> Reply:
        """
        Ann is held while a message of hers is scanned; the reply to that.

        @param let_go: and let go again.
        """
        await self.open()
        gate = Gate(Deferred(), Deferred())
        chain = Chain({"virus": gate}, 30.0, REACTOR)
        self.submitted = evolve(self.submitted, chain=chain)
        reply = Deferred.fromCoroutine(self.hand_in(FAR, BOB))
        await gate.began
        await self.quota.hold(ANN, "a thief")
        # Behind this all is suspended that waited then.
        await self.house.ledger.next_try()
        if let_go:
            await self.resume()
        gate.may_end.callback([CLEAN])
        return await reply

    async def test_scanned(self) -> None:
        """It is accepted and does not leave; let go, it goes where it was going."""
        self.assertEqual(250, (await self.scanned()).code)
        self.assertEqual(([], 2), await self.stands())
        self.assertEqual(0, self.house.runner.backlog)
        await self.resume()
        await self.until(lambda: self.mailbox(BOB))
        self.assertEqual(([FAR], 0), await self.stands())

    async def test_let_go(self) -> None:
        """Whoever is let go before it is accepted is not stopped by what is over."""
        self.assertEqual(250, (await self.scanned(let_go=True)).code)
        self.assertEqual(([FAR], 0), await self.stands())

    async def test_committed(self) -> None:
        """No more does what the disk has, and the runner has not heard of yet."""
        await self.open()
        commit = self.house.ledger.commit

        async def held(entry: Entry, **others: Any) -> None:
            await commit(entry, **others)
            await self.quota.hold(ANN, "a thief")

        self.patch(self.house.ledger, "commit", held)
        self.assertEqual(250, (await self.hand_in(FAR, BOB)).code)
        self.assertEqual(0, self.house.runner.backlog)
        self.assertEqual(([], 2), await self.stands())


class NameTests(SubmittedTestCase):
    """In whose name."""

    async def test_another(self) -> None:
        """Not in another's: refused, on record, and nothing is kept (S19)."""
        await self.open()
        for data, sender in (
            (LETTER.replace(b"ann@", b"bob@", 1), ANN),
            (LETTER, BOB),
        ):
            said = await self.hand_in(BOB, data=data, sender=sender)
            self.assertEqual((550, "5.7.1"), (said.code, said.status))
            self.assertEqual("refused", (await self.record(said))["verdict"])
        self.assertEqual(([], []), (self.spooled(), await self.out()))

    async def test_granted(self) -> None:
        """In the name of an address that counts as his."""
        await self.open()
        self.own = frozenset({ANN, BOB})
        data = LETTER.replace(b"ann@", b"bob@", 1)
        said = await self.hand_in(FAR, data=data, sender=BOB)
        self.assertEqual(250, said.code)


class CountTests(SubmittedTestCase):
    """How much."""

    async def test_too_much(self) -> None:
        """The one too many is refused for now, and its reply says until when."""
        await self.open(messages=2)
        for code in 250, 250, 450:
            said = await self.hand_in(FAR)
            self.assertEqual(code, said.code, said)
        self.assertIn("2 messages in 24 hours; try again in", said.lines[0])
        self.assertEqual("deferred", (await self.record(said))["verdict"])
        self.assertEqual([FAR, FAR], await self.out())

    async def test_not_taken(self) -> None:
        """What was refused does not count for the day."""
        await self.open(FOUND, messages=1)
        for _ in range(3):
            self.assertEqual(550, (await self.hand_in(BOB)).code)
        self.assertEqual(250, (await self.hand_in(FAR)).code)

    async def test_refused(self) -> None:
        """Whoever has many refused is asked to come later, before we look (S20)."""
        await self.open(FOUND, rate=5)
        for _ in range(3):
            self.assertEqual(550, (await self.hand_in(BOB)).code)
        forged = LETTER.replace(b"ann@", b"bob@", 1)
        for _ in range(3):
            self.assertEqual(550, (await self.hand_in(BOB, data=forged)).code)
        self.assertEqual(450, (await self.hand_in(BOB)).code)
        self.assertEqual(3, len(self.seen))
        found = await self.quota.mail(ANN)
        assert found is not None
        self.assertIn("5 messages a minute", found.text)

    async def test_list(self) -> None:
        """Who writes to a list writes to one, however many are on it."""
        await self.open(message_recipients=1, hold_new_recipients=2)
        await self.directory.put_alias("all@home.example", (ANN, BOB), actor="uid:test")
        said = await self.hand_in("all@home.example")
        self.assertEqual(250, said.code, said)
        used = await self.counters.used(ANN)
        self.assertEqual((1, 1), (used["recipients"], used["new_recipients"]))
        self.assertIsNone(await self.holds.held(ANN))

    async def test_copy_counts(self) -> None:
        """Of what was refused a copy is kept: nobody fills the disk for nothing."""
        await self.open(FOUND, messages=1)
        self.assertEqual(550, (await self.hand_in(BOB, FAR)).code)
        self.assertEqual(450, (await self.hand_in(BOB, FAR)).code)

    async def test_held(self) -> None:
        """Of a held account everything is taken, and nothing leaves (D5)."""
        await self.open()
        await self.holds.hold(ANN, "somebody stole the password")
        said = await self.hand_in(FAR, BOB)
        self.assertEqual(250, said.code)
        record = await self.record(said)
        self.assertEqual("held", record["verdict"])
        self.assertEqual(
            {"somebody stole the password"}, {f["reason"] for f in record["fates"]}
        )
        await self.until(self.held)
        self.assertEqual(([], []), (await self.out(), self.mailbox(BOB)))


class RuleTests(SubmittedTestCase):
    """What the mail policies say of it (S51)."""

    async def rule(self, name: str, action: str, **more: Any) -> None:
        """A rule about what goes to Bob."""
        document = {"name": name, "action": action, "to": [BOB], **more}
        await self.policies.add(document, actor="uid:test")

    async def test_reject(self) -> None:
        """Refused, in the words of the rule; held where others get it."""
        await self.open()
        await self.rule("board", "reject", text="Only the assistants write to him")
        said = await self.hand_in(BOB)
        self.assertEqual((550, "5.7.1"), (said.code, said.status))
        self.assertIn("Only the assistants write to him", said.lines[0])
        self.assertEqual(250, (await self.hand_in(BOB, FAR)).code)
        await self.until(self.held)
        self.assertEqual([FAR], await self.out())
        # He was told 250: so he has to hear of it otherwise.
        await self.until(lambda: self.mailbox(ANN))
        (letter,) = self.mailbox(ANN)
        self.assertIn(b"Subject: Your message did not reach everybody", letter)
        self.assertIn(f"{BOB}: Only the assistants write to him".encode(), letter)
        self.assertNotIn(b"need not be sent again", letter)

    async def test_hold(self) -> None:
        """Held until it is approved of; who may do that is told how."""
        await self.open()
        await self.rule("ask", "hold", approvers=["postmaster@home.example"])
        said = await self.hand_in(BOB)
        self.assertEqual(250, said.code)
        await self.until(lambda: self.mailbox("postmaster@home.example"))
        (notice,) = self.mailbox("postmaster@home.example")
        record = await self.record(said)
        self.assertIn(f"quarantine release {record['id']}-1".encode(), notice)
        self.assertEqual("approval", record["verdict"])
        await self.until(self.held)
        await self.until(lambda: self.mailbox(ANN))
        (letter,) = self.mailbox(ANN)
        self.assertIn(b"Subject: Your message waits for approval", letter)
        self.assertIn(b"it waits until somebody approves", letter)
        self.assertIn(b"need not be sent again", letter)

    async def test_redirect(self) -> None:
        """Another gets it in his place, and he does not."""
        await self.open()
        await self.rule("away", "redirect", redirect=ANN)
        self.assertEqual(250, (await self.hand_in(BOB)).code)
        await self.until(lambda: self.mailbox(ANN))
        self.assertEqual([], self.mailbox(BOB))

    async def test_redirect_in_vain(self) -> None:
        """Where he cannot be had who gets it instead, nothing is taken at all."""
        await self.open()
        await self.rule("away", "redirect", redirect=ANN)
        data = b"Delivered-To: " + ANN.encode() + b"\r\n" + LETTER
        for to in (BOB,), (BOB, FAR):
            said = await self.hand_in(*to, data=data)
            self.assertEqual((554, "5.4.6"), (said.code, said.status))
        self.assertEqual(([], []), (await self.out(), self.mailbox(BOB)))

    async def test_header_and_notice(self) -> None:
        """A line on top of his copy alone, and somebody is told."""
        await self.open()
        await self.rule("mark", "add-header", add_header="X-House: yes", notify=[ANN])
        self.assertEqual(250, (await self.hand_in(BOB, "postmaster@home.example")).code)
        await self.until(lambda: self.mailbox(BOB))
        await self.until(lambda: self.mailbox("postmaster@home.example"))
        self.assertIn(b"X-House: yes\r\n", self.mailbox(BOB)[0])
        self.assertNotIn(b"X-House", self.mailbox("postmaster@home.example")[0])
        await self.until(lambda: self.mailbox(ANN))
        (letter,) = self.mailbox(ANN)
        self.assertIn(b"Rule: mark", letter)
        # Whom else it went to is not the business of who is told of a rule.
        self.assertIn(f"For: {BOB}\r\n".encode(), letter)
        self.assertNotIn(b"postmaster@home.example,", letter)

    async def test_notice_forwarded(self) -> None:
        """Who reads his mail elsewhere is told there."""
        await self.open()
        by: Any = {"actor": "uid:test"}
        await self.directory.put_forward(ANN, ("ann@far.example",), False, **by)
        await self.rule("mark", "add-header", add_header="X-House: yes", notify=[ANN])
        self.assertEqual(250, (await self.hand_in(BOB)).code)
        await self.until(lambda: self.mailbox(BOB))
        self.assertEqual(["ann@far.example"], await self.out())
        self.assertEqual([], self.mailbox(ANN))

    async def test_untold(self) -> None:
        """Who cannot be told is not: the message is ours, once, all the same."""
        await self.open()
        await self.rule("mark", "add-header", add_header="X-House: yes", notify=[ANN])
        self.submitted = evolve(self.submitted, notices=NOBODY)
        self.assertEqual(250, (await self.hand_in(BOB)).code)
        await self.until(lambda: self.mailbox(BOB))
        self.assertEqual(1, len(self.flushLoggedErrors(AttributeError)))

    async def test_virus_first(self) -> None:
        """No rule lets a virus through, and nobody is asked to approve of one."""
        await self.open(FOUND)
        await self.rule("ask", "hold", approvers=["postmaster@home.example"])
        self.assertEqual(550, (await self.hand_in(BOB)).code)
