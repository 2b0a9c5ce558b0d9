"""Tests of smfd.proto.server beyond what dialogues say."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.proto.command import Hello, Mail, Rcpt
from smfd.proto.event import Refusal, Signal
from smfd.proto.extension import Offer
from smfd.proto.limits import Budget, Limits
from smfd.proto.reply import Reply, reply
from smfd.proto.server import ServerMachine
from tests.dialogs.dialog import cut_replies
from tests.proto.conversation import Conversation

OPEN = b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"

#: What brings a conversation into each of its states.
STATES = {
    "opening": b"",
    "ready": b"EHLO c.example\r\n",
    "sender": b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n",
    "recipient": OPEN,
    "chunking": OPEN + b"BDAT 2\r\n\r\n",
}

VERBS = [
    b"EHLO c.example", b"HELO c.example", b"MAIL FROM:<a@b.example>",
    b"RCPT TO:<c@d.example>", b"DATA", b"BDAT 0", b"BDAT 0 LAST", b"BDAT", b"RSET",
    b"NOOP", b"HELP", b"VRFY x", b"EXPN x", b"STARTTLS", b"AUTH PLAIN", b"QUIT",
    b"XYZZY", b"\xff\xfe", b"", b"GET / HTTP/1.1", b"MAIL", b"RCPT", b"EHLO",
]  # fmt: skip


def talk(octets: bytes, limits: Limits | None = None) -> Conversation:
    """Say all that at once."""
    conversation = Conversation(ServerMachine(limits or Limits(), Offer()))
    conversation.hear([octets])
    return conversation


class MachineTests(SynchronousTestCase):
    """The server's side of a conversation."""

    def test_every_verb_in_every_state(self) -> None:
        """Whatever is said at whatever time has one answer, and no exception."""
        for name, before in STATES.items():
            for verb in VERBS:
                replies = len(cut_replies(bytes(talk(before).sent)))
                said = talk(before + verb + b"\r\n")
                answers = cut_replies(bytes(said.sent))
                self.assertEqual(replies + 1, len(answers), (name, verb))

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.sampled_from([*VERBS, b".", b"x: y"]), max_size=25))
    def test_any_order(self, verbs: list[bytes]) -> None:
        """In whatever order, nothing raises, and one octet more means the same."""
        octets = b"".join(verb + b"\r\n" for verb in verbs)
        whole = talk(octets)
        pieces = Conversation(ServerMachine(Limits(), Offer()))
        pieces.hear([bytes([octet]) for octet in octets])
        self.assertEqual(whole.sent, pieces.sent)
        self.assertEqual(whole.bodies, pieces.bodies)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=300))
    def test_any_octets(self, octets: bytes) -> None:
        """Whatever octets come, there are whole replies and no exception."""
        cut_replies(bytes(talk(octets).sent))
        cut_replies(bytes(talk(OPEN + octets).sent))

    def test_one_question_at_a_time(self) -> None:
        """
        While a question is open nothing is asked, however much was sent ahead
        (RFC 2920 §3.2).
        """
        machine = ServerMachine(Limits(), Offer())
        machine.receive(b"EHLO c.exam")
        machine.receive(b"ple\r\nMAIL FROM:<a@b.example>\r\nNOOP\r\n")
        self.assertIs(Signal.OPENED, machine.next_event())
        self.assertIsNone(machine.next_event())
        machine.answer(reply(220, "", "hi"))
        self.assertEqual(Hello("c.example", True), machine.next_event())
        self.assertIsNone(machine.next_event())
        machine.answer(reply(250, "", "hi"))
        self.assertIsInstance(machine.next_event(), Mail)
        self.assertIsNone(machine.next_event())

    def test_greeting_refused(self) -> None:
        """Who is not welcome is told so and hears no more."""
        machine = ServerMachine(Limits(), Offer())
        machine.receive(OPEN)
        machine.next_event()
        self.assertEqual(b"554 5.7.1 No\r\n", machine.answer(reply(554, "5.7.1", "No")))
        self.assertTrue(machine.closed)
        self.assertIsNone(machine.next_event())

    def test_421_closes(self) -> None:
        """Whoever says 421 hangs up (RFC 5321 §3.8)."""
        machine = ServerMachine(Limits(), Offer())
        machine.receive(OPEN)
        machine.next_event()
        machine.answer(reply(220, "", "hi"))
        machine.next_event()
        machine.answer(reply(421, "4.3.2", "Not now"))
        self.assertTrue(machine.closed)

    def test_refused_hello(self) -> None:
        """A refused EHLO is as if it had not been."""
        machine = ServerMachine(Limits(), Offer())
        machine.receive(OPEN)
        machine.next_event()
        machine.answer(reply(220, "", "hi"))
        machine.next_event()
        machine.answer(reply(550, "5.7.1", "No"))
        event = machine.next_event()
        assert isinstance(event, Reply)
        self.assertEqual(503, event.code)

    def test_refused_bdat(self) -> None:
        """
        When the door refuses the first chunk, it is swallowed before the
        answer, and the next chunk alone makes no message (RFC 3030 §2).
        """
        machine = ServerMachine(Limits(), Offer())
        machine.receive(OPEN + b"BDAT 6\r\nQUIT")
        for answer in (220, 250, 250, 250):
            machine.next_event()
            machine.answer(reply(answer, "", "x"))
        self.assertIs(Signal.BEGIN, machine.next_event())
        self.assertEqual(b"", machine.answer(reply(452, "4.3.1", "Full")))
        self.assertIsNone(machine.next_event())
        machine.receive(b"\r\nBDAT 6 LAST\r\nQUIT\r\n")
        event = machine.next_event()
        self.assertEqual(reply(452, "4.3.1", "Full"), event)
        assert isinstance(event, Reply)
        machine.answer(event)
        event = machine.next_event()
        assert isinstance(event, Reply)
        self.assertEqual(503, event.code)
        self.assertFalse(machine.closed)

    def test_spoilt(self) -> None:
        """When the body cannot be kept, its rest is taken and then answered."""
        machine = ServerMachine(Limits(), Offer())
        machine.receive(OPEN + b"DATA\r\none\r\n")
        for answer in (220, 250, 250, 250):
            machine.next_event()
            machine.answer(reply(answer, "", "x"))
        machine.next_event()
        machine.go_ahead()
        self.assertEqual(b"one", machine.next_event())
        machine.spoil(reply(451, "4.3.0", "Oh"))
        machine.receive(b"two\r\n.\r\nNOOP\r\n")
        self.assertEqual(Refusal(reply(451, "4.3.0", "Oh")), machine.next_event())
        self.assertFalse(machine.receiving)

    def test_starttls_forgets(self) -> None:
        """After TLS the client must say EHLO again, and cannot start it twice (R44)."""
        said = Conversation(ServerMachine(Limits(), Offer(starttls=True)))
        said.hear([b"EHLO c.example\r\n", b"STARTTLS\r\n"])
        said.sent.clear()
        said.hear([b"MAIL FROM:<a@b.example>\r\nEHLO c.example\r\nSTARTTLS\r\n"])
        codes = [answer[:3] for answer in cut_replies(bytes(said.sent))]
        self.assertEqual(["503", "250", "503"], codes)
        self.assertNotIn(b"STARTTLS", said.sent)

    def test_starttls_in_a_transaction(self) -> None:
        """There is no TLS in the middle of a transaction."""
        said = Conversation(ServerMachine(Limits(), Offer(starttls=True)))
        said.hear([OPEN, b"STARTTLS\r\n"])
        self.assertTrue(said.sent.endswith(b"RSET ends it\r\n"))

    def test_limits(self) -> None:
        """Each limit lets n pass and not n + 1, nor ten times n (R48)."""
        n = 7
        cases = {
            "errors": (b"FOO\r\n", Limits(errors=n), b"421 4.7.0"),
            "junk": (b"RSET\r\n", Limits(junk=n), b"421 4.7.0"),
            "refusals": (b"RCPT TO:<no@x.example>\r\n", Limits(refusals=n), b"421"),
            "recipients": (b"RCPT TO:<c@x.example>\r\n", Limits(recipients=n), b"452"),
        }
        mail = b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n"
        for name, (line, limits, answer) in cases.items():
            start = b"" if name in {"errors", "junk"} else mail
            self.assertNotIn(answer, talk(start + line * n, limits).sent, name)
            for times in (n + 1, 10 * n):
                sent = talk(start + line * times, limits).sent
                self.assertIn(answer, sent, name)

    def test_junk_is_forgiven(self) -> None:
        """A client that delivers may say RSET between its messages."""
        message = (
            b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n.\r\nRSET\r\n"
        )
        said = talk(b"EHLO c.example\r\n" + message * 20, Limits(junk=4))
        self.assertEqual(20, len(said.bodies))
        self.assertFalse(said.machine.closed)

    def test_parameters_are_kept(self) -> None:
        """The door is asked with all that the client said."""
        said = talk(
            b"EHLO c.example\r\n"
            b"MAIL FROM:<a@b.example> SIZE=9 BODY=8BITMIME RET=FULL ENVID=x\r\n"
            b"RCPT TO:<c@d.example> NOTIFY=DELAY ORCPT=rfc822;c@d.example\r\n"
        )
        mail, rcpt = said.events[2:4]
        assert isinstance(mail, Mail) and isinstance(rcpt, Rcpt)
        self.assertEqual(
            (9, "8BITMIME", "FULL", "x"), (mail.size, mail.body, mail.ret, mail.envid)
        )
        self.assertEqual((("DELAY",), "rfc822;c@d.example"), (rcpt.notify, rcpt.orcpt))

    def test_injection(self) -> None:
        """Nothing a client says makes two replies of one (R60)."""
        for text in (b"a\rb", b"a\x0bb", b"(a", b"x" * 500, b"a\nb", b"\xc3\xbc"):
            for line in (b"EHLO " + text, b"MAIL FROM:<a@b.example> " + text,
                         b"MAIL FROM:<" + text + b">", text):  # fmt: skip
                said = talk(b"EHLO c.example\r\n" + line + b"\r\n")
                self.assertEqual(3, len(cut_replies(bytes(said.sent))), line)


class EndOfDataTests(SynchronousTestCase):
    """Only CRLF.CRLF ends a message (R40)."""

    def look_alikes(self) -> list[bytes]:
        """Every near miss that is known to have fooled somebody."""
        ends = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\x00\r\n", b"\r\n\x00"]
        near = [one + b"." + other for one in ends for other in ends]
        near.remove(b"\r\n.\r\n")
        # This one ends the message: with CRLF.CRLF, and a NUL before or after.
        return [end for end in near if b"\r\n.\r\n" not in end]

    def test_none_ends(self) -> None:
        """
        What follows a look-alike is part of the same message, which is
        refused; whole, in single octets, or with the next commands behind.
        """
        smuggled = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx"
        near_misses = self.look_alikes()
        self.assertLess(23, len(near_misses))
        for near in near_misses:
            octets = OPEN + b"DATA\r\nbody" + near + smuggled + b"\r\n.\r\nNOOP\r\n"
            for chunks in ([octets], [bytes([n]) for n in octets]):
                said = Conversation(ServerMachine(Limits(), Offer()))
                said.hear(chunks)
                codes = [answer[:3] for answer in cut_replies(bytes(said.sent))]
                expected = ["220", "250", "250", "250", "354", "550", "250"]
                self.assertEqual(expected, codes, near)
                self.assertEqual([], said.bodies)


class BudgetTests(SynchronousTestCase):
    """Octets that many share."""

    @settings(deadline=None)
    @given(st.lists(st.integers(0, 50), max_size=40))
    def test_never_more(self, wishes: list[int]) -> None:
        """No more is given than there is, and what comes back is there again."""
        budget, held = Budget(100), []
        for wish in wishes:
            if budget.take(wish):
                held.append(wish)
            elif held:
                budget.give_back(held.pop(0))
            self.assertLessEqual(sum(held), 100)
            self.assertEqual(sum(held), budget.taken)
