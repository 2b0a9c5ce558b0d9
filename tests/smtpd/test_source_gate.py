"""Tests for L{smfd.smtpd.source_gate}: a conversation, with a clock of our own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smfd.config.load import read
from smfd.interfaces import IStage
from smfd.model.envelope import Envelope, Forward
from smfd.model.finding import Finding, Result
from smfd.model.record import Record
from smfd.model.session import Session
from smfd.model.transaction import Transaction
from smfd.net.dns_answer import Answer, DNSTrouble
from smfd.proto.address import Address
from smfd.proto.reply import Reply, reply
from smfd.scan.source_known import sources
from smfd.smtpd.source_gate import source_gate
from tests.smtpd.asked import Asked

CLIENT, NEIGHBOUR, STRANGER = "192.0.2.1", "192.0.2.2", "198.51.100.1"
SENDER = Address("alice", "a.example")

LIST = '[[source.list]]\nzone = "bl.example"\ntier = 1\n'
TIER2 = '[[source.list]]\nzone = "bl.example"\nscore = 4.0\n'
ALLOW = '[[source.list]]\nzone = "wl.example"\nkind = "allow"\nscore = 2.0\n'
NOT_LATE = "[source.early]\ndelay = 0\n"

RECORDS: dict[tuple[str, str], Answer] = {
    ("1.2.0.192.in-addr.arpa", "PTR"): Answer("ok", ("mail.a.example",)),
    ("mail.a.example", "A"): Answer("ok", (CLIENT,)),
    ("a.example", "MX"): Answer("ok", ((10, "mail.a.example"),)),
    ("null.example", "MX"): Answer("ok", ((0, "."),)),
    ("1.2.0.192.bl.example", "A"): Answer("ok", ("127.0.0.2",)),
    ("1.2.0.192.wl.example", "A"): Answer("ok", ("127.0.0.2",)),
}


class Names:
    """
    A resolver whose servers can be shot.

    @ivar dead: nothing is ever answered; "trouble": that is said at once.
    @ivar slow: what the allow list answers, when it does.
    """

    def __init__(self) -> None:
        self.records = dict(RECORDS)
        self.dead: bool | str = False
        self.slow: Deferred[Answer] | None = None

    def known(self, name: str, rdtype: str) -> Answer | None:
        """Nothing is remembered."""
        return None

    def lookup(self, name: str, rdtype: str) -> Deferred[Answer]:
        """At once, or never."""
        if self.dead == "trouble":
            return fail(DNSTrouble(name))
        if self.dead:
            return Deferred()
        if self.slow is not None and name.endswith(".wl.example"):
            return self.slow
        return succeed(self.records.get((name, rdtype), Answer("nxdomain")))


@implementer(IStage)
class SPF:
    """Proves everybody, or nobody."""

    name = "spf"

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol

    def scan(self, transaction: Transaction) -> Deferred[Sequence[Finding]]:
        """That, of whoever it is."""
        return succeed([Finding("spf", self.symbol, Result.PASS)])


class GateTestCase(SynchronousTestCase):
    """
    One gate.

    @ivar names: the DNS.
    """

    def build(self, text: str = NOT_LATE, spf: IStage | None = None) -> None:
        """With these settings."""
        self.clock, self.names = Clock(), Names()
        self.clock.advance(1_000_000)
        config = read(
            '[server]\nhostname = "mx.home.example"\n' + text, Path("/x/smfd.toml")
        )
        self.sources = sources(
            config,
            self.names,
            lambda domain: succeed(domain == "home.example"),
            self.clock,
        )
        self.gate = Asked(source_gate(config.source, self.sources, self.clock, spf))
        self.count = 0

    def session(self, client: str = CLIENT, **more: Any) -> Session:
        """Somebody who came."""
        self.count += 1
        return Session(f"S{self.count}", client, 4242, self.clock.seconds(), **more)

    def connect(self, client: str = CLIENT) -> Session:
        """Somebody who came, and was greeted at once."""
        session = self.session(client)
        self.assertIs(None, self.successResultOf(self.gate.connected(session)))
        return session

    def say(
        self,
        session: Session,
        helo: str = "mail.a.example",
        sender: Address | None = SENDER,
        recipient: str = "ann",
    ) -> Deferred[Reply | None]:
        """EHLO, MAIL and RCPT."""
        session = session.called(helo, True)
        self.envelope = Envelope("E", sender)
        self.assertIs(None, self.successResultOf(self.gate.hello(session)))
        self.assertIs(
            None, self.successResultOf(self.gate.mail(session, self.envelope))
        )
        forward = Forward(Address(recipient, "home.example"))
        return self.gate.rcpt(session, self.envelope, forward)

    def come(self, *words: Any, **more: Any) -> str:
        """All of it; the code and status that refuse, or nothing."""
        self.last = self.connect(*words)
        said = self.successResultOf(self.say(self.last, **more))
        return f"{said.code} {said.status}" if said else ""

    def scores(self, session: Session | None = None) -> dict[str, float | None]:
        """What a message from there begins with."""
        found = self.gate.findings(session or self.last, self.envelope)
        self.assertEqual({"source"}, {f.stage for f in found} | {"source"})
        return {f.symbol: f.score for f in found}


class ConnectTests(GateTestCase):
    """Who is greeted, and when."""

    def test_good(self) -> None:
        """Somebody with a name of his own passes, and it is written down."""
        self.build()
        self.assertEqual("", self.come())
        self.assertEqual({"RDNS_PASS": 0.0}, self.scores())

    def test_exempt(self) -> None:
        """Exempt networks are asked nothing and wait for nothing."""
        self.build("[source]\nexempt = ['192.0.2.0/24']\n" + LIST)
        self.assertEqual("", self.come(helo="mx.home.example"))
        self.assertEqual({}, self.scores())

    def test_no_address(self) -> None:
        """Who comes by a UNIX socket has no address to be judged by."""
        self.build("")
        self.assertEqual("", self.come("", helo="mx.home.example"))
        self.assertEqual({}, self.scores())

    def test_late(self) -> None:
        """A stranger is greeted late; one who brought good mail is not."""
        self.build("")
        session = self.session()
        greeted = self.gate.connected(session)
        self.clock.advance(1.9)
        self.assertNoResult(greeted)
        self.clock.advance(0.2)
        self.assertIs(None, self.successResultOf(greeted))
        self.gate.noted(session, record("clean", "250 2.0.0 Accepted"))
        self.connect()

    def test_late_but_allowed(self) -> None:
        """Who is on an allow list waits no longer than for its answer."""
        self.build(ALLOW)
        self.connect()

    def test_late_until_allowed(self) -> None:
        """An allow list that answers late ends the wait when it answers."""
        self.build(ALLOW)
        self.names.slow = Deferred()
        greeted = self.gate.connected(self.session())
        self.clock.advance(0.5)
        self.assertNoResult(greeted)
        self.names.slow.callback(RECORDS["1.2.0.192.wl.example", "A"])
        self.assertIs(None, self.successResultOf(greeted))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_gone_while_late(self) -> None:
        """Who hangs up while he waits leaves nothing behind."""
        self.build("")
        session = self.session()
        greeted = self.gate.connected(session)
        greeted.cancel()
        self.gate.closed(session)
        self.failureResultOf(greeted)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(0, len(self.gate.gates))

    def test_early(self) -> None:
        """Who speaks first has points for it, once."""
        self.build()
        for early in ("greeting", "hello"):
            session = self.connect()
            said = self.say(evolve(session, early=early))
            self.assertIs(None, self.successResultOf(said))
            self.say(evolve(session, early=early))
            found = self.gate.findings(session, self.envelope)
            self.assertEqual(2.0, sum(f.score or 0.0 for f in found))
            self.assertEqual(2.0, self.scores(session)[f"EARLY_{early.upper()}"])

    def test_errors(self) -> None:
        """Mistakes and early talk are remembered like refusals."""
        self.build()
        session = self.connect()
        self.gate.erred(session, reply(500, "5.5.1", "What?"))
        self.say(evolve(session, early="greeting"))
        now, history = self.clock.seconds(), self.sources.history
        self.assertEqual(2.0, history.standing(CLIENT, now).refusals)

    def test_early_watched(self) -> None:
        """What is only watched has none."""
        self.build(NOT_LATE + 'mode = "observe"\n')
        session = evolve(self.connect(), early="greeting")
        self.say(session)
        self.assertEqual(0.0, self.scores(session)["EARLY_GREETING"])
        now, history = self.clock.seconds(), self.sources.history
        self.assertEqual(0.0, history.standing(CLIENT, now).refusals)


class ListTests(GateTestCase):
    """Lists in two tiers (C5)."""

    def test_tier_1(self) -> None:
        """It refuses at RCPT, by name; postmaster is reached all the same."""
        self.build(NOT_LATE + LIST)
        session = self.connect()
        said = self.successResultOf(self.say(session))
        assert said is not None
        self.assertEqual((550, "5.7.1"), (said.code, said.status))
        self.assertIn("bl.example lists 192.0.2.1", said.lines[0])
        asked = self.say(session, recipient="Postmaster")
        self.assertIs(None, self.successResultOf(asked))
        self.assertEqual("", self.come(NEIGHBOUR))

    def test_at_connect(self) -> None:
        """Where it is wanted, nothing is said but that."""
        self.build(NOT_LATE + LIST + 'at = "connect"\n')
        said = self.successResultOf(self.gate.connected(self.session()))
        assert said is not None
        self.assertEqual(550, said.code)
        self.assertEqual("", self.come(NEIGHBOUR))

    def test_watched(self) -> None:
        """A list that is watched lists, and refuses nobody."""
        self.build(NOT_LATE + LIST + 'mode = "observe"\n')
        self.assertEqual("", self.come())
        self.assertEqual(0.0, self.scores()["LIST_BL_EXAMPLE"])

    def test_tier_2(self) -> None:
        """It scores and refuses nobody."""
        self.build(NOT_LATE + TIER2)
        self.assertEqual("", self.come())
        self.assertEqual(4.0, self.scores()["LIST_BL_EXAMPLE"])

    def test_allowed(self) -> None:
        """An allow list takes points off, and spares tier 1 only."""
        self.build(NOT_LATE + LIST + ALLOW)
        self.assertEqual("", self.come())
        self.assertEqual(-2.0, self.scores()["LIST_WL_EXAMPLE"])
        self.assertEqual("550 5.7.1", self.come(helo="mx.home.example"))


class NameTests(GateTestCase):
    """What he calls himself, and for whom he sends."""

    def test_forged(self) -> None:
        """Our name is refused at RCPT; another EHLO takes it back."""
        self.build()
        self.assertEqual("550 5.7.1", self.come(helo="mx.home.example"))
        self.assertIs(None, self.successResultOf(self.say(self.last)))

    def test_off(self) -> None:
        """What is off is not asked, and only our own name is refused."""
        off = ("reverse_dns", "hello", "null_mx", "sender_domain")
        text = "".join(f'[source.{name}]\nmode = "off"\n' for name in off)
        self.build(NOT_LATE + text)
        self.names.dead = True
        for name in ("nowhere.example", "localhost"):
            self.assertEqual("", self.come(helo=name))
            self.assertEqual({}, self.scores())
        self.assertEqual("550 5.7.1", self.come(helo="mx.home.example"))

    def test_forged_off(self) -> None:
        """Our own name is anybody's when that test is off."""
        self.build(NOT_LATE + '[source.forged]\nmode = "off"\n')
        self.assertEqual("", self.come(helo="mx.home.example"))
        self.assertEqual({"RDNS_PASS": 0.0}, self.scores())

    def test_watched(self) -> None:
        """Odd names are written down, and not refused, by default."""
        self.build()
        for name in ("localhost", "nowhere.example", "192.0.2.1", "home.example"):
            self.assertEqual("", self.come(helo=name))
            symbols = [s for s in self.scores() if s.startswith("HELO_")]
            self.assertEqual(1, len(symbols), name)
            self.assertEqual(0.0, self.scores()[symbols[0]])

    def test_null_mx(self) -> None:
        """Who takes no mail sends none (RFC 7505); the next sender may."""
        self.build()
        null = Address("x", "null.example")
        self.assertEqual("550 5.7.27", self.come(sender=null))
        self.assertIs(None, self.successResultOf(self.say(self.last)))
        self.assertNotIn("SENDER_NULL_MX", self.scores())
        self.assertIs(None, self.successResultOf(self.say(self.last, sender=None)))

    def test_no_domain(self) -> None:
        """A domain that is not there is refused when that is wanted."""
        nowhere = Address("x", "nowhere.example")
        self.build()
        self.assertEqual("", self.come(sender=nowhere))
        self.assertEqual(0.0, self.scores()["SENDER_NO_DOMAIN"])
        self.build(NOT_LATE + '[source.sender_domain]\nmode = "enforce"\n')
        self.assertEqual("550 5.1.8", self.come(sender=nowhere))


class DeadTests(GateTestCase):
    """R27: the DNS is dead, or says so."""

    TESTS = "".join(
        f'[source.{name}]\nmode = "enforce"\naction = "refuse"\n'
        for name in ("reverse_dns", "hello", "sender_domain")
    )

    def test_silent(self) -> None:
        """One budget for all of it, and then good mail passes."""
        self.build("[source]\nbudget = 3.0\n" + NOT_LATE + self.TESTS + LIST)
        self.names.dead = True
        session = self.connect()
        said = self.say(session)
        self.clock.advance(2.9)
        self.assertNoResult(said)
        self.clock.advance(0.2)
        self.assertIs(None, self.successResultOf(said))
        self.assertEqual(
            {"RDNS_ERROR", "HELO_ERROR", "SENDER_ERROR", "LIST_ERROR"},
            set(self.scores(session)),
        )
        self.assertEqual({None}, set(self.scores(session).values()))
        # The budget is the connection's, not the message's.
        again = self.say(session, sender=Address("b", "b.example"))
        self.clock.advance(0.001)
        self.assertIs(None, self.successResultOf(again))

    def test_trouble(self) -> None:
        """A server that says that it cannot answer costs no time at all."""
        self.build(NOT_LATE + self.TESTS + LIST)
        self.names.dead = "trouble"
        self.assertEqual("", self.come())

    def test_defer(self) -> None:
        """Where that is wanted, no answer means: come again."""
        self.build(NOT_LATE + LIST + 'on_error = "defer"\n')
        self.names.dead = "trouble"
        self.assertEqual("451 4.4.3", self.come())

    def test_gone(self) -> None:
        """Who hangs up while we wait leaves nothing behind."""
        self.build(NOT_LATE + LIST)
        self.names.dead = True
        session = self.connect()
        said = self.say(session)
        said.cancel()
        self.gate.closed(session)
        self.failureResultOf(said)
        self.assertEqual([], self.clock.getDelayedCalls())


class GreylistTests(GateTestCase):
    """Who comes for the first time comes again."""

    ON = NOT_LATE + '[source.greylist]\nmode = "enforce"\n'

    def test_off(self) -> None:
        """Nobody is asked to by default."""
        self.build()
        self.assertEqual("", self.come(STRANGER))

    def test_again(self) -> None:
        """He is asked once; his neighbour may come in his place."""
        self.build(self.ON)
        self.assertEqual("450 4.7.1", self.come())
        self.assertEqual("450 4.7.1", self.come())
        self.clock.advance(301)
        self.assertEqual("", self.come(NEIGHBOUR))
        self.assertEqual("450 4.7.1", self.come(STRANGER))

    def test_network(self) -> None:
        """A network that came back twice is trusted with other mail."""
        self.build(self.ON)
        for sender in ("a.example", "b.example"):
            for code in ("450 4.7.1", ""):
                self.assertEqual(code, self.come(sender=Address("x", sender)))
                self.clock.advance(301)
        self.assertEqual("", self.come(NEIGHBOUR, sender=Address("x", "c.example")))

    def test_domains(self) -> None:
        """Only the domains that want it."""
        self.build(self.ON + 'domains = ["other.example"]\n')
        self.assertEqual("", self.come())

    def test_proved(self) -> None:
        """A sender that SPF proves need not; one that it does not, must."""
        for symbol, code in (("SPF_PASS", ""), ("SPF_NONE", "450 4.7.1")):
            self.build(self.ON, SPF(symbol))
            self.assertEqual(code, self.come())

    def test_allowed_and_known(self) -> None:
        """Nor who is on an allow list, or brought good mail before."""
        self.build(self.ON + ALLOW)
        self.assertEqual("", self.come())
        self.build(self.ON)
        self.assertEqual("450 4.7.1", self.come())
        self.gate.noted(self.last, record("clean", "250 2.0.0 Accepted"))
        self.assertEqual("", self.come())

    def test_watched(self) -> None:
        """What is only watched is written down."""
        self.build(self.ON.replace("enforce", "observe"))
        self.assertEqual("", self.come())
        self.assertEqual(0.0, self.scores()["GREYLISTED"])


def record(verdict: str, reply: str, kind: str = "message") -> Record:
    """What is written down of a message or a refusal."""
    nobody = ("", "", "", "")
    return Record("R", kind, 0.0, "inbound", *nobody, (), verdict, reply)


UNKNOWN = record("refused", "550 5.1.1 No such mailbox", "refusal")
REFUSED = record("refused", "550 5.7.1 listed", "refusal")
LATER = record("deferred", "450 4.7.1 Greylisted", "refusal")
VIRUS = record("virus", "250 2.0.0 Accepted")


class HistoryTests(GateTestCase):
    """Who did much harm is slowed down, then turned away, then forgiven."""

    ON = NOT_LATE + (
        '[source.history]\nmode = "enforce"\nslow = 5\nrefuse = 10\nnetwork = 2\n'
    )

    def harm(self, *records: Record, client: str = CLIENT) -> None:
        """Write these down of him."""
        session = self.session(client)
        greeted = self.gate.connected(session)
        for one in records:
            self.gate.noted(session, one)
        greeted.addErrback(lambda _: None).cancel()
        self.gate.closed(session)

    def greeting(self, client: str = CLIENT) -> str:
        """ "at once", "late" or the code that turns away."""
        session = self.session(client)
        greeted = self.gate.connected(session)
        if not greeted.called:
            self.clock.advance(5)
            self.assertIs(None, self.successResultOf(greeted))
            return "late"
        said = self.successResultOf(greeted)
        return f"{said.code} {said.status}" if said else "at once"

    def test_steps(self) -> None:
        """Late, then not at all, then late again, then as others."""
        self.build(self.ON)
        self.harm(UNKNOWN, REFUSED, LATER, LATER, LATER, LATER)
        self.assertEqual("at once", self.greeting())
        self.harm(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
        self.assertEqual("late", self.greeting())
        self.harm(VIRUS)
        self.assertEqual("421 4.7.0", self.greeting())
        self.clock.advance(3600)
        self.assertEqual("late", self.greeting())
        self.clock.advance(7200)
        self.assertEqual("at once", self.greeting())

    def test_network(self) -> None:
        """A neighbour has some credit; who is far away is not touched."""
        self.build(self.ON)
        self.harm(*[UNKNOWN] * 9)
        self.assertEqual("at once", self.greeting(NEIGHBOUR))
        self.harm(VIRUS, VIRUS, VIRUS, client="192.0.2.77")
        self.assertEqual("421 4.7.0", self.greeting(NEIGHBOUR))
        self.assertEqual("at once", self.greeting(STRANGER))

    def test_watched(self) -> None:
        """By default it is only written down."""
        self.build(NOT_LATE)
        session = self.connect()
        for _ in range(30):
            self.gate.noted(session, UNKNOWN)
        self.assertEqual("", self.come())
        self.assertEqual(0.0, self.scores()["HISTORY_BAD"])

    def test_own_refusals(self) -> None:
        """To be turned away for it is no new harm: one day he is forgiven."""
        self.build(self.ON)
        self.harm(VIRUS, VIRUS)
        session = self.session()
        said = self.successResultOf(self.gate.connected(session))
        assert said is not None
        turned = record("deferred", f"{said.code} {said.status} x", "refusal")
        self.gate.noted(session, turned)
        now = self.clock.seconds()
        standing = self.sources.history.standing(CLIENT, now)
        self.assertEqual(10.0, standing.points)

    def test_forget(self) -> None:
        """An operator may forgive at once; and see all there is before."""
        self.build(self.ON + LIST)
        self.harm(VIRUS, VIRUS)
        about = self.successResultOf(
            Deferred.fromCoroutine(self.sources.about(f"::ffff:{CLIENT}"))
        )
        self.assertEqual((CLIENT, 10.0), (about["address"], about["history"]["points"]))
        self.assertEqual(
            {"RDNS_PASS": False, "LIST_BL_EXAMPLE": True},
            {f["symbol"]: f["refuses"] for f in about["findings"]},
        )
        self.assertEqual(2, self.sources.forget(CLIENT)["forgotten"])
        self.assertEqual("at once", self.greeting())
        self.assertRaises(ValueError, self.sources.forget, "a.example")
