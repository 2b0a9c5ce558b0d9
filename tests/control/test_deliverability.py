"""Tests for L{smfd.control.deliverability}."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from smfd.control.deliverability import Deliverability, Terms
from smfd.model.attempt import Attempt
from smfd.model.entry import REMOTE, Consignment, Recipient, State
from smfd.model.transaction import Body
from smfd.policy.paces import Paces
from smfd.policy.warm_up import WarmUp
from smfd.proto.reply import Reply, reply
from smfd.store.deliveries import Deliveries
from smfd.store.reputation_file import FILE, ReputationFile
from smfd.store.suppressions import Suppressions

reactor: Any = installed

DAY = 86_400
NOW = 20_000.0 * DAY + 3600
OURS = "192.0.2.25"
TAKEN = reply(250, "2.0.0", "ok")
UNKNOWN = reply(550, "5.1.1", "<x@example.net>: User unknown")
SLOWER = reply(421, "4.7.28", "unusual rate of unsolicited mail")


def attempt(
    answer: Reply | None,
    *,
    at: float = NOW,
    to: str = "bob@example.net",
    account: str = "ann@home.example",
    destination: str = REMOTE,
    state: State | None = None,
    **more: Any,
) -> Attempt:
    """One try."""
    recipient = Recipient(1, to, destination)
    sender = account or "srs0=x@home.example"
    body = Body(2, b"x\n")
    c = Consignment("id", at, sender, body, b"", (), recipient, 0, account)
    refused = answer is not None and answer.code >= 500
    state = state or (State.FAILED if refused else State.DUE)
    host = "mx.google.com"
    return Attempt(at, c, host, "198.51.100.1", OURS, "", answer, state=state, **more)


class DeliverabilityTests(TestCase):
    """What is learned from tries, and what is done with it."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.file = ReputationFile(folder / FILE, reactor)
        self.file.startService()
        self.addCleanup(self.file.stopService)
        self.told: list[tuple[str, int]] = []
        self.warm = WarmUp()
        self.ours = self.make()

    def make(self, **terms: Any) -> Deliverability:
        """One that learns, on the same file."""
        clock: Any = self.clock
        return Deliverability(
            Deliveries(self.file),
            Suppressions(self.file),
            Paces(clock.seconds, warm_up=self.warm),
            clock,
            Terms(**terms),
            self.tell,
        )

    def tell(self, account: str, unknown: int) -> Deferred[None]:
        """Note what is told of bounces."""
        self.told.append((account, unknown))
        return succeed(None)

    async def kinds(self, domain: str = "") -> dict[tuple[str, str], int]:
        """What was counted, by provider and kind."""
        await self.ours.write()
        report = await self.ours.deliveries.report(0, domain)
        return {(p, kind): n for p, kind, _, n in report.providers}

    async def test_counted(self) -> None:
        """What is taken, what is refused and what got no answer: all is counted."""
        self.ours.note(attempt(TAKEN))
        self.ours.note(attempt(SLOWER))
        self.ours.note(attempt(None, why="198.51.100.1: connection refused"))
        counted = {("google", k): 1 for k in ("sent", "rate", "server")}
        self.assertEqual(counted, await self.kinds("home.example"))

    async def test_greeting(self) -> None:
        """Who turns us away at the door is counted as a delay while it is tried."""
        listed = reply(554, "5.7.1", "blocked using zen.spamhaus.org")
        self.ours.note(attempt(listed, state=State.DUE))
        self.ours.note(attempt(listed, state=State.FAILED))
        await self.ours.write()
        found = (await self.ours.deliveries.report(0)).providers
        kind = "reputation_address"
        wanted = [("google", kind, False, 1), ("google", kind, True, 1)]
        self.assertEqual(wanted, sorted(found))

    async def test_no_domain(self) -> None:
        """A domain that is not there counts as unknown, and suppresses nothing."""
        why = "550 5.1.2: there is no such domain"
        self.ours.note(attempt(None, why=why, state=State.FAILED))
        await self.ours.write()
        found = (await self.ours.deliveries.report(0)).providers
        self.assertEqual(["unknown_recipient"], [kind for _, kind, _, _ in found])
        self.assertEqual([("ann@home.example", 1)], self.told)
        self.assertEqual("", self.ours.refusal("ann@home.example", "bob@example.net"))

    async def test_one_mistake(self) -> None:
        """A misspelt domain, or one without mail, is one mistake a day, not fifty."""
        gone = "550 5.1.2: the domain exmaple.net does not exist"
        null = "556 5.1.10: nomail.test takes no mail (null MX)"
        for n in range(50):
            for site, why in ("exmaple.net", gone), ("nomail.test", null):
                to = f"{n}@{site}"
                self.ours.note(attempt(None, why=why, state=State.FAILED, to=to))
        await self.ours.write()
        self.assertEqual([("ann@home.example", 2)], self.told)
        # Who has bought a list writes to many such domains.
        for n in range(50):
            to = f"bob@{n}.test"
            self.ours.note(attempt(None, why=gone, state=State.FAILED, to=to))
        # A day later, and by another: it is a mistake again.
        for more in {"at": NOW + DAY}, {"account": "cid@home.example"}:
            asked: dict[str, Any] = {"to": "x@exmaple.net", **more}
            self.ours.note(attempt(None, why=gone, state=State.FAILED, **asked))
        # What a server says of one recipient counts for each.
        for _ in range(2):
            self.ours.note(attempt(UNKNOWN))
        await self.ours.write()
        wanted = [("ann@home.example", 53), ("cid@home.example", 1)]
        self.assertEqual(wanted, sorted(self.told[1:]))

    async def test_complaint(self) -> None:
        """A complaint is counted for the account, at the provider it came from."""
        ann = "ann@home.example"
        self.ours.complained(ann, ann, "google.com")
        self.assertEqual({("google", "complaint"): 1}, await self.kinds("home.example"))

    async def test_own_servers(self) -> None:
        """What hosted domains' own servers say says nothing of our reputation."""
        self.ours.note(attempt(UNKNOWN, destination="relay"))
        self.assertEqual({}, await self.kinds())
        self.assertEqual("", self.ours.refusal("ann@home.example", "bob@example.net"))

    async def test_spared(self) -> None:
        """Whom we spare ourselves has refused nothing, and is spared no more for it."""
        self.ours.note(attempt(None, spared=True))
        self.assertEqual({}, await self.kinds())
        self.assertEqual({}, self.ours.paces.slowed())

    def test_slower(self) -> None:
        """Who complains is served slower at once."""
        self.ours.note(attempt(SLOWER))
        self.assertEqual({("google", OURS): 60.0}, self.ours.paces.slowed())

    def test_suppressed(self) -> None:
        """An address that does not exist is not written to for now; why is said."""
        self.ours.note(attempt(UNKNOWN))
        said = self.ours.refusal("cid@home.example", "Bob@example.net")
        self.assertIn("550 5.1.1 [address] User unknown", said)
        self.assertIn("until 2024-10-05T01:00:00Z", said)
        self.assertEqual("", self.ours.refusal("ann@other.example", "bob@example.net"))
        self.clock.advance(DAY)
        self.assertEqual("", self.ours.refusal("ann@home.example", "bob@example.net"))

    def test_month(self) -> None:
        """The second time it is for a month."""
        self.ours.note(attempt(UNKNOWN))
        self.clock.advance(2 * DAY)
        self.ours.note(attempt(UNKNOWN, at=NOW + 2 * DAY))
        self.clock.advance(29 * DAY)
        self.assertTrue(self.ours.refusal("ann@home.example", "bob@example.net"))

    def test_there_after_all(self) -> None:
        """Who takes mail after all is unknown no more."""
        self.ours.note(attempt(UNKNOWN))
        self.ours.note(attempt(TAKEN))
        self.assertEqual("", self.ours.refusal("ann@home.example", "bob@example.net"))

    def test_off(self) -> None:
        """An operator may have it off: then all is tried."""
        ours = self.make(suppress=False)
        ours.note(attempt(UNKNOWN))
        self.assertEqual("", ours.refusal("ann@home.example", "bob@example.net"))

    def test_forward(self) -> None:
        """A forward to an address that is gone suppresses nothing for the users."""
        self.ours.note(attempt(UNKNOWN, account=""))
        self.assertEqual("", self.ours.refusal("ann@home.example", "bob@example.net"))

    async def test_bounced(self) -> None:
        """Who counts an account's unknown recipients hears how many there were."""
        for answer in (TAKEN, UNKNOWN, SLOWER, None, UNKNOWN):
            self.ours.note(attempt(answer))
        await self.ours.write()
        await self.ours.write()
        self.assertEqual([("ann@home.example", 2)], self.told)

    def test_fault(self) -> None:
        """A fault of ours in looking at a try stays here; the mail goes on."""
        broken: Any = None
        self.ours.deliveries = broken
        self.ours.note(attempt(TAKEN))
        self.assertEqual(1, len(self.flushLoggedErrors(AttributeError)))

    async def test_unwritten(self) -> None:
        """That nothing can be written is said once, and that it can be again, too."""
        with capturedLogs() as events:
            await self.ours.write()
            patch = self.patch(Suppressions, "write", lambda _: fail(OSError("full")))
            await self.ours.write()
            await self.ours.write()
            patch.restore()
            await self.ours.write()
            await self.ours.write()
        self.assertEqual(
            [
                "what others think of us is in memory only: full",
                "what others think of us is written again",
            ],
            [formatEvent(event) for event in events],
        )

    async def test_restart(self) -> None:
        """Suppressions and the warm-up's count are there after a restart."""
        self.warm.since = {OURS: 20_000}
        self.ours.note(attempt(UNKNOWN))
        for _ in range(39):
            self.ours.note(attempt(TAKEN, to="cid@example.net"))
        await self.ours.write()
        self.warm = WarmUp({OURS: 20_000})
        self.ours = self.make()
        self.ours.startService()
        await self.file.run(lambda connection: None)
        self.addCleanup(self.ours.stopService)
        self.assertTrue(self.ours.refusal("ann@home.example", "bob@example.net"))
        self.assertEqual(40, self.warm.sent(OURS, "google", NOW))
