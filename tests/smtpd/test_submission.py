"""Tests of the submission door: who gets in, and what he may say then."""

from typing import Any

from argon2 import PasswordHasher
from twisted.internet.defer import Deferred, succeed

from smfd.control.login import Logins, Remembered
from smfd.control.passwords import Passwords
from smfd.control.quota import Quota
from smfd.interfaces import IIncoming
from smfd.model.credentials import AppPassword
from smfd.model.envelope import Envelope, Forward
from smfd.model.quota import Allowance
from smfd.model.session import Session
from smfd.model.transaction import Body
from smfd.policy.guessing import Terms, Throttle
from smfd.policy.networks import networks
from smfd.proto.address import Address
from smfd.proto.reply import Reply, reply
from smfd.proto.sasl import Login
from smfd.smtpd.submission import Submission
from smfd.store.counters import Counters
from smfd.store.directory_grants import Grants
from smfd.store.directory_holds import Holds
from smfd.store.directory_limits import Allowances
from smfd.store.directory_passwords import Keys
from tests.sample import come
from tests.smtpd.fronts import ANN, BOB, NAME, FrontTestCase, address
from tests.store.making import REACTOR

#: As fast as it may be: what is tested is not how long it takes.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Behind:
    """What takes whole messages: here it takes all of them."""

    def __init__(self, acceptance: Any) -> None:
        self.custody = acceptance.custody
        self.recipients = acceptance.recipients
        self.taken: list[Session] = []

    def message(
        self, session: Session, envelope: Envelope, body: Body
    ) -> Deferred[Reply]:
        """Taken."""
        self.taken.append(session)
        return succeed(reply(250, "2.0.0", "Accepted"))


class SubmissionTests(FrontTestCase):
    """Ann has a password; Bob has none."""

    async def open(self, **allowed: int) -> None:
        """
        The door for our own people.

        @param allowed: what each may send.
        """
        await self.build()
        stored = QUICK.hash("correct horse")
        await self.directory.set_password(ANN, stored, actor="uid:test")
        passwords = Passwords(REACTOR)
        passwords._hasher = QUICK
        passwords.startService()
        self.addCleanup(passwords.stopService)
        self.behind = Behind(self.door.acceptance)
        self.users = Submission(
            NAME,
            self.house.spool,
            self.door.recorder,
            self.behind,
            REACTOR,
            self.name,
            logins=Logins(
                Keys(self.directory),
                passwords,
                Throttle(Terms()),
                Remembered(60.0, 100),
                REACTOR,
            ),
            identities=Grants(self.directory).identities,
            quota=self.quota(**allowed) if allowed else None,
        )

    def quota(self, **allowed: int) -> Quota:
        """So much for each."""
        counters = Counters(self.home / "counters.db", REACTOR, REACTOR)
        counters.startService()
        self.addCleanup(counters.stopService)
        allowances = Allowances.of(self.directory, Allowance(**allowed))
        return Quota.of(counters, allowances, Holds.of(self.directory), REACTOR)

    async def login(
        self, user: str = ANN, password: str = "correct horse", act_as: str = ""
    ) -> Session | Reply:
        """What becomes of somebody who says who he is."""
        login = Login(user, password, act_as)
        found: Session | Reply = await come(self.users.login(self.session(), login))
        return found

    async def refusal(self, *said: str) -> str:
        """Code and text of the refusal of a login."""
        found = await self.login(*said)
        assert isinstance(found, Reply), found
        return f"{found.code} {found.status} {found.lines[0].partition(' id=')[0]}"

    async def ann(self) -> Session:
        """Ann, logged in."""
        found = await self.login()
        assert isinstance(found, Session), found
        return found

    async def mail(self, session: Session, sender: str) -> int:
        """The code of the reply to MAIL."""
        known = address(sender) if sender else None
        envelope = Envelope(self.name(), known)
        said: Reply = await come(self.users.mail(session, envelope))
        return said.code

    async def to(self, session: Session, *recipients: str) -> list[int]:
        """The codes of the replies to RCPT, for one message."""
        envelope, codes = Envelope(self.name(), address(ANN)), []
        for one in recipients:
            forward = Forward(address(one))
            said: Reply = await come(self.users.rcpt(session, envelope, forward))
            codes.append(said.code)
            if said.positive:
                envelope = envelope.to(*envelope.recipients, forward)
        return codes

    async def test_believed(self) -> None:
        """Whoever knows the password is the account from then on."""
        await self.open()
        self.assertEqual(ANN, (await self.ann()).account)
        self.assertIn(f"login=ok, sasl_username={ANN}", self.logged())

    async def test_refused(self) -> None:
        """Whoever does not is told the same, whatever is wrong (R74, R75)."""
        await self.open()
        for user, word in (
            (ANN, "wrong"), (ANN, "Correct horse"), (ANN, "correct horse "),
            (ANN, "correct horse\n"), (BOB, ""), (BOB, "correct horse"), ("ann", "x"),
            ("zoe@home.example", "x"),
        ):  # fmt: skip
            said = await self.refusal(user, word)
            text = "535 5.7.8 The user or the password is wrong"
            self.assertEqual(text, said, (user, word))

    async def test_restricted(self) -> None:
        """An app password for other things is refused like any; the log says why."""
        await self.open()
        wanted = AppPassword(
            0, ANN, "phone", ("imap",), (), password=QUICK.hash("secret")
        )
        made = await Keys(self.directory).add(wanted, actor="uid:test")
        said = await self.refusal(ANN, f"app{made.id}-secret")
        self.assertEqual("535 5.7.8 The user or the password is wrong", said)
        self.assertIn(f"login=restricted, sasl_username={ANN}", self.logged())

    async def test_act_as(self) -> None:
        """Nobody acts as another; to name oneself twice is harmless (R74)."""
        await self.open()
        for other in BOB, "root", "ann", "ann+x@home.example", "ann@far.example":
            said = await self.refusal(ANN, "correct horse", other)
            self.assertEqual("535 5.7.8 Nobody logs in to act as another", said)
        for same in ANN, "Ann@Home.Example":
            self.assertIsInstance(await self.login(act_as=same), Session)

    async def test_throttled(self) -> None:
        """After ten guesses it is 454, and says for how long (R76)."""
        await self.open()
        for number in range(10):
            self.assertIn("535", await self.refusal(ANN, f"guess {number}"))
        said = await self.refusal(ANN, "correct horse")
        self.assertRegex(said, r"454 4\.7\.0 .* try again in \d\d seconds")

    async def test_found(self) -> None:
        """A refused login is on record, without what was typed (R77)."""
        await self.open()
        found = await self.login("canary", "canary")
        assert isinstance(found, Reply)
        record = await self.record(found)
        self.assertEqual("refused", record["verdict"])
        self.assertNotIn("canary", f"{record}")
        log = self.logged()
        self.assertIn("login=wrong, sasl_username=unknown", log)
        for other in "canary@far.example", "canary@home@home.example", "canary@":
            found = await self.login(other, "canary")
            assert isinstance(found, Reply)
            self.assertNotIn("canary", f"{await self.record(found)}")
        self.assertNotIn("canary", self.logged())

    async def test_found_by_account(self) -> None:
        """Who looks after a domain finds who tries the doors of its users."""
        await self.open()
        for user, name in (
            ("Ann@Home.Example", ANN),
            ("zoe@home.example", "zoe@home.example"),
        ):
            found = await self.login(user, "canary")
            assert isinstance(found, Reply)
            record = await self.record(found)
            self.assertEqual((name, "refused"), (record["account"], record["verdict"]))
            self.assertIn(f"login=wrong, sasl_username={name}", self.logged())
        for number in range(12):
            found = await self.login(ANN, f"canary {number}")
        assert isinstance(found, Reply)
        self.assertEqual(454, found.code)
        self.assertEqual(ANN, (await self.record(found))["account"])
        self.assertNotIn("canary", self.logged())

    async def test_each_account(self) -> None:
        """One client that fails as many keeps none of them out of the records."""
        await self.open()
        self.users.logins.throttle = Throttle(Terms(1000, 1000, 1000))
        for number in range(30):
            user = f"u{number % 3}@home.example"
            found = await self.login(user, "wrong")
            assert isinstance(found, Reply)
            self.assertEqual(user, (await self.record(found))["account"])

    async def test_sender(self) -> None:
        """He sends as himself: his address, his aliases, what he was granted (S19)."""
        await self.open()
        by = {"actor": "uid:test"}
        await self.directory.put_alias("sales@home.example", [ANN], **by)
        await self.directory.put_alias("both@home.example", [ANN, BOB], **by)
        ann = await self.ann()
        for sender in (
            ANN,
            "ANN@home.example",
            "ann+x@home.example",
            "sales@home.example",
        ):
            self.assertEqual(250, await self.mail(ann, sender), sender)
        for sender in BOB, "both@home.example", "ann@far.example", "a@home.example", "":
            self.assertEqual(550, await self.mail(ann, sender), sender)
        # Who tried is what a postmaster looks for.
        self.assertIn(f"sasl_username={ANN}, from=<{BOB}>, status=", self.logged())

    async def test_announced(self) -> None:
        """What is announced larger than he may send is refused at MAIL."""
        await self.open(message_size=1000)
        ann = await self.ann()
        for size, code in (1001, 552), (1000, 250), (None, 250):
            envelope = Envelope(self.name(), Address("ann", "home.example"), size=size)
            said = await come(self.users.mail(ann, envelope))
            self.assertEqual(code, said.code, size)

    async def test_whose_name(self) -> None:
        """Who sends as another reads who he is, and that it is the envelope."""
        await self.open()
        ann = await self.ann()
        for sender, words in ((Address("bob", "home.example"), BOB), (None, "empty")):
            said = await come(self.users.mail(ann, Envelope(self.name(), sender)))
            wanted = f"You are {ANN}, but the envelope's sender is {words}"
            self.assertIn(wanted, said.lines[0])

    async def test_gone(self) -> None:
        """Whose mailbox is removed while he is here sends nothing more."""
        await self.open()
        ann = await self.ann()
        await self.directory.remove_account(ANN, actor="uid:test")
        self.assertEqual(550, await self.mail(ann, ANN))

    async def test_recipients(self) -> None:
        """Mailboxes that are here, and anybody elsewhere; nobody unknown of ours."""
        await self.open()
        ann = await self.ann()
        codes = await self.to(
            ann, BOB, "zoe@far.example", "postmaster", "nobody@home.example"
        )
        self.assertEqual([250, 250, 250, 550], codes)

    async def test_suppressed(self) -> None:
        """An address that does not exist is refused at once, with the words for it."""
        await self.open()
        ann = await self.ann()
        asked: list[tuple[str, str]] = []

        def suppressed(sender: str, recipient: str) -> str:
            asked.append((sender, recipient))
            return "It does not exist" if recipient == "x@a.example" else ""

        self.users.suppressed = suppressed
        codes = await self.to(ann, "x@a.example", "y@a.example", BOB)
        self.assertEqual([550, 250, 250], codes)
        self.assertEqual([(ANN, "x@a.example"), (ANN, "y@a.example")], asked)

    async def test_literals(self) -> None:
        """Nobody reaches our own network, or any, by an address for a domain."""
        await self.open()
        ann = await self.ann()
        literals = [f"a@[{one}]" for one in (
            "127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "8.8.8.8",
            "IPv6:::1", "IPv6:::ffff:127.0.0.1", "IPv6:fe80::1", "IPv6:2001:db8::1",
        )]  # fmt: skip
        self.assertEqual([550] * len(literals), await self.to(ann, *literals))
        log = self.logged()
        self.assertIn("Mail is not sent to IP addresses from here", log)
        self.assertIn("to=<a@[IPv6:fe80::1]>", log)
        self.users.literals = networks(["10.1.0.0/16", "2001:db8::/32", "127.0.0.0/8"])
        codes = await self.to(ann, *literals)
        wanted = [250, 250, 550, 550, 550, 550, 250, 550, 250]
        self.assertEqual(wanted, codes)

    async def test_limits(self) -> None:
        """Logins and recipients have limits of the account's own (S20)."""
        await self.open(connections=3, message_recipients=2)
        ann = await self.ann()
        world = ["a@far.example", "b@far.example", "c@far.example"]
        codes = await self.to(ann, *world)
        self.assertEqual([250, 250], codes[:2])
        self.assertGreater(codes[2], 400)
        self.assertEqual(250, await self.mail(ann, ANN))
        await self.ann()
        await self.ann()
        self.assertRegex(await self.refusal(), r"454 4\.7\.0 .*logins")

    async def test_message(self) -> None:
        """A whole message goes to what lies behind, with who sent it."""
        await self.open()
        ann = await self.ann()
        envelope = Envelope(self.name(), Address("ann", "home.example"))
        incoming = await come(self.users.data(ann, envelope))
        assert IIncoming.providedBy(incoming)
        incoming.write(b"x: y\r\n\r\nz\r\n")
        body = await come(incoming.finish())
        said: Reply = await come(self.users.message(ann, envelope, body))
        self.assertEqual(250, said.code)
        self.assertEqual([ANN], [session.account for session in self.behind.taken])
        self.house.spool.discard(body)

    async def test_front(self) -> None:
        """At the front door nobody logs in, whatever he says (R79)."""
        await self.open()
        said = self.door.login(self.session(), Login(ANN, "correct horse"))
        assert isinstance(said, Reply)
        self.assertEqual(502, said.code)
