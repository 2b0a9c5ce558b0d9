"""Mail policies at the front door, with everything real behind it."""

from email import message_from_bytes, policy
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import deferLater

from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Result
from smfd.model.transaction import Body
from smfd.proto.reply import Replies, Reply
from smfd.smtpd.accept import Acceptance
from smfd.smtpd.house_rules import LETTERS
from smfd.smtpd.policed import Policed
from smfd.store.directory_groups import Groups
from smfd.store.directory_policies import Policies
from tests.sample import come
from tests.scan.test_chain import ScriptedStage
from tests.smtpd.fronts import ANN, BOB, LETTER, NAME, SENDER, FrontTestCase, address
from tests.store.making import REACTOR

BY: Any = {"actor": "uid:test"}
POST, BOARD = "postmaster@home.example", "board@home.example"
SPAM = Finding("content", "SPAM", Result.SUSPECT, 50.0)
INFECTED = Finding("virus", "VIRUS_FOUND", Result.FAIL, reason="Eicar")


def _text(letter: bytes) -> str:
    """What a reader sees: long lines come in pieces."""
    text: str = message_from_bytes(letter, policy=policy.default).get_content()
    return text.replace("\r\n", "\n")


class Looker:
    """Says what is attached; None: it cannot."""

    def __init__(self, files: list[str] | None) -> None:
        self.files = files
        self.asked = 0

    def submit(self, job: str, body: Body, arguments: dict[str, Any]) -> Deferred[Any]:
        """What a worker would say."""
        assert job == "inside", job
        self.asked += 1
        if self.files is None:
            return fail(OSError("no workers"))
        return succeed({"files": self.files, "types": []})


class PolicedTests(FrontTestCase):
    """Mail from elsewhere, to Ann and Bob."""

    async def open(self, *findings: Finding, files: list[str] | None = None) -> None:
        """The front door with rules behind it."""
        stages = {f.stage: ScriptedStage(f.stage, (f,)) for f in findings}
        await self.build(stages)
        acceptance = self.door.acceptance
        assert isinstance(acceptance, Acceptance)
        self.looker = Looker(files)
        policed = Policed.of(
            acceptance.custody, acceptance.recipients, NAME, self.name, self.looker
        )
        self.policies = Policies(self.directory)
        self.door = evolve(self.door, acceptance=evolve(acceptance, policed=policed))

    async def rule(self, name: str, **document: Any) -> None:
        """One more rule, at the end."""
        await self.policies.add({"name": name, **document}, **BY)

    async def by_lmtp(self, *to: str) -> Reply:
        """The reply to a message that came by LMTP."""
        forwards = tuple(Forward(address(one)) for one in to)
        envelope = Envelope(self.name(), SENDER, forwards)
        incoming = self.house.spool.receive(envelope.id)
        incoming.write(LETTER)
        body = await come(incoming.finish())
        session = evolve(self.session(), lmtp=True)
        return await self.door.message(session, envelope, body)

    def mailbox(self, user: str) -> list[bytes]:
        """The messages in a mailbox."""
        local, _, domain = user.partition("@")
        found = (self.home / "mail" / domain / local / "new").glob("*")
        return [path.read_bytes() for path in found]

    async def fates(self, reply: Reply) -> list[tuple[str, str, str]]:
        """Who got it, as what, and why."""
        found = (await self.record(reply))["fates"]
        return [(f["recipient"], f["category"], f["reason"]) for f in found]

    async def test_seed(self) -> None:
        """Nobody from elsewhere writes to the board; others get it all the same."""
        await self.open()
        await Groups(self.directory).add(BOARD, (ANN,), **BY)
        rule = {"to": f"group:{BOARD}", "action": "reject", "text": "Ask the desk"}
        await self.rule("board", **rule)
        said = await self.send()
        self.assertEqual((550, "5.7.1"), (said.code, said.status))
        self.assertIn("Ask the desk id=", said.lines[0])
        record = await self.record(said)
        self.assertEqual("policy", record["verdict"])
        self.assertIn("POLICY_REJECT", [f["symbol"] for f in record["findings"]])
        # One reply for both: the board's copy is held, and it says so.
        said = await self.send(recipients=(ANN, BOB))
        self.assertEqual(250, said.code)
        (ann, bob) = await self.fates(said)
        self.assertEqual((ANN, "policy"), ann[:2])
        self.assertIn("Ask the desk (policy board); held, since other", ann[2])
        self.assertEqual((BOB, "clean"), bob[:2])
        await self.until(lambda: self.mailbox(BOB))
        self.assertEqual([], self.mailbox(ANN))

    async def test_lmtp(self) -> None:
        """Where each has his own reply, only he is refused for whom it is."""
        await self.open()
        await self.rule("ann", to=ANN, action="reject", text="Ask the desk")
        said = await self.by_lmtp(BOB, ANN)
        assert isinstance(said, Replies)
        codes = [one.code for one in said.each]
        self.assertEqual([250, 550], codes)
        self.assertIn("Ask the desk", said.each[1].lines[0])

    async def test_alias(self) -> None:
        """A rule for an alias is for whoever is behind it."""
        await self.open()
        await self.directory.put_alias("team@home.example", (ANN, BOB), **BY)
        await self.rule("team", to="team@home.example", action="reject")
        self.assertEqual(550, (await self.send(recipients=["team@home.example"])).code)
        self.assertEqual(250, (await self.send()).code)

    async def test_approval(self) -> None:
        """It waits; whoever may approve of it is written to, and nobody else."""
        await self.open()
        await self.rule("ask", to=ANN, action="hold", approvers=[POST, BOB])
        said = await self.send(recipients=(BOB, ANN))
        self.assertEqual(250, said.code)
        name = (await self.record(said))["id"]
        reason = "waits for approval, says the policy ask"
        self.assertIn((ANN, "approval", reason), await self.fates(said))
        await self.until(lambda: self.mailbox(POST))
        (letter,) = self.mailbox(POST)
        release = f"quarantine release {name}-2 --approver "
        self.assertIn(f"{release}{POST}\n", _text(letter))
        await self.until(lambda: len(self.mailbox(BOB)) > 1)
        self.assertIn(f"{release}{BOB}\n", "".join(map(_text, self.mailbox(BOB))))
        # The file is there before the ledger says so.
        while not (held := await self.house.reader.held(category="approval"))["items"]:
            await deferLater(REACTOR, 0.01)
        self.assertEqual([f"{name}-2"], [item["id"] for item in held["items"]])
        self.assertEqual([], self.mailbox(ANN))

    async def test_letters(self) -> None:
        """However many wait: twenty letters an hour, and one that says so."""
        await self.open()
        await self.rule("ask", to=ANN, action="hold", approvers=[POST])
        for _ in range(LETTERS + 3):
            await self.send()
        await self.until(lambda: len(self.mailbox(POST)) > LETTERS)
        found = self.mailbox(POST)
        self.assertEqual(LETTERS + 1, len(found))
        more = [one for one in found if b"Subject: More messages" in one]
        self.assertEqual(1, len(more))

    async def test_redirect(self) -> None:
        """Another gets it, once; the record knows whom it was for."""
        await self.open()
        await self.rule(
            "away", to=ANN, action="redirect", redirect=BOB, add_header="X-For: Ann"
        )
        said = await self.send(recipients=(ANN, BOB))
        record = await self.record(said)
        self.assertEqual([BOB], record["recipients"])
        self.assertIn(ANN, record["named"])
        await self.until(lambda: self.mailbox(BOB))
        (found,) = self.mailbox(BOB)
        self.assertIn(b"\r\nX-For: Ann\r\n", found)
        said = await self.send()
        self.assertEqual([BOB], (await self.record(said))["recipients"])
        await self.until(lambda: len(self.mailbox(BOB)) == 2)
        self.assertEqual([], self.mailbox(ANN))

    async def test_redirect_onward(self) -> None:
        """Who gets it may be of another domain, and of another kind of domain."""
        await self.open()
        hop: Any = {"kind": "relay", "next_hop": "smtp://127.0.0.1:9", "verify": "list"}
        await self.directory.add_domain("two.example", **hop, **BY)
        await self.directory.list_recipients(["eve@two.example"], **BY)
        await self.rule("away", to=ANN, action="redirect", redirect="eve@two.example")
        record = await self.record(await self.send())
        found = await self.house.reader.record(record["id"])
        assert found is not None
        (to,) = found["recipients"]
        self.assertEqual(
            ("eve@two.example", "relay"), (to["address"], to["destination"])
        )

    async def test_untold(self) -> None:
        """Who cannot be told is not: the message is ours, once, all the same."""
        await self.open()
        await self.rule("tell", to=ANN, action="allow", notify=[POST])
        acceptance: Any = self.door.acceptance
        policed = evolve(acceptance.policed, notices=None)
        self.door = evolve(self.door, acceptance=evolve(acceptance, policed=policed))
        self.assertEqual(250, (await self.by_lmtp(ANN)).code)
        await self.until(lambda: self.mailbox(ANN))
        self.assertEqual(1, len(self.flushLoggedErrors(AttributeError)))

    async def test_notify(self) -> None:
        """Somebody is told, even of what is refused."""
        await self.open()
        await self.rule("tell", to=ANN, action="reject", notify=[POST])
        self.assertEqual(550, (await self.send()).code)
        await self.until(lambda: self.mailbox(POST))
        (letter,) = self.mailbox(POST)
        self.assertIn(b"Rule: tell", letter)
        self.assertIn(b"What was done: reject", letter)

    async def test_attached(self) -> None:
        """What is attached is looked at only if a rule asks; else never."""
        await self.open(files=["a.exe"])
        await self.rule("off", attachment="*.exe", action="reject", enabled=False)
        self.assertEqual(250, (await self.send()).code)
        self.assertEqual(0, self.looker.asked)
        await self.policies.edit("off", {"enabled": True}, **BY)
        self.assertEqual(550, (await self.send()).code)
        self.looker.files = ["a.txt"]
        self.assertEqual(250, (await self.send()).code)

    async def test_nobody_looks(self) -> None:
        """What nobody can look into comes again: it neither passes nor is lost."""
        await self.open()
        await self.rule("exe", attachment="*.exe", action="reject")
        self.assertEqual(451, (await self.send()).code)
        self.assertEqual(1, len(self.flushLoggedErrors(OSError)))

    async def test_virus(self) -> None:
        """A rule frees nothing that carries a virus, and has nobody approve of it."""
        await self.open(INFECTED)
        await self.rule("bob", to=BOB, action="redirect", redirect=POST)
        await self.rule("ask", to=ANN, action="hold", approvers=[POST])
        said = await self.send(recipients=(ANN, BOB))
        self.assertEqual(
            [(ANN, "virus"), (BOB, "virus")], [f[:2] for f in await self.fates(said)]
        )
        self.assertEqual([], self.mailbox(POST))

    async def test_spam(self) -> None:
        """A rule can ask what was found before, and be stricter, not milder."""
        await self.open(SPAM)
        await self.rule("ham", to=BOB, action="allow")
        await self.rule("ask", to=[ANN, BOB], verdict="spam", action="quarantine")
        said = await self.send(recipients=(ANN, BOB))
        self.assertEqual(["spam", "spam"], [f[1] for f in await self.fates(said)])
        await self.policies.edit("ask", {"action": "reject"}, **BY)
        self.assertEqual(550, (await self.send()).code)

    async def test_changed(self) -> None:
        """A rule is in force with the next message, and gone with it."""
        await self.open()
        self.assertEqual(250, (await self.send()).code)
        await self.rule("no", to=ANN, action="reject")
        self.assertEqual(550, (await self.send()).code)
        await self.policies.remove("no", **BY)
        self.assertEqual(250, (await self.send()).code)
