"""Tests of how people log in: smfd.proto.sasl and smfd.proto.submission."""

import contextlib
from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.proto.extension import Offer
from smfd.proto.limits import Limits
from smfd.proto.lmtp import LMTPMachine
from smfd.proto.reply import Malformed
from smfd.proto.sasl import LINE, Challenge, Login, begin, respond
from smfd.proto.server import ServerMachine
from smfd.proto.submission import SubmissionMachine
from tests.dialogs.dialog import cut_replies
from tests.proto.conversation import Conversation

OFFER = Offer(starttls=True, logins=("PLAIN", "LOGIN"))
HELLO = b"EHLO c.example\r\n"
MAIL = b"MAIL FROM:<ann@a.example>\r\n"


def coded(text: str | bytes) -> bytes:
    """In Base64."""
    return b64encode(text.encode() if isinstance(text, str) else text)


GOOD = b"AUTH PLAIN " + coded("\0ann\0secret") + b"\r\n"
BAD = b"AUTH PLAIN " + coded("\0ann\0guess") + b"\r\n"


def talk(*said: bytes, secure: bool = True) -> Conversation:
    """A submission, under TLS or in the clear."""
    machine = SubmissionMachine(Limits(), OFFER, secure)
    conversation = Conversation(machine)
    conversation.hear([HELLO + b"".join(said)])
    return conversation


def codes(*said: bytes, secure: bool = True) -> list[int]:
    """The replies behind those to the connection and to EHLO."""
    replies = cut_replies(bytes(talk(*said, secure=secure).sent))
    return [int(reply[:3]) for reply in replies][2:]


def plain(text: str | bytes) -> Login:
    """What a PLAIN response says."""
    found = begin(f"PLAIN {coded(text).decode()}")
    assert isinstance(found, Login)
    return found


def _challenge(found: Login | Challenge) -> Challenge:
    assert isinstance(found, Challenge)
    return found


class ExchangeTests(SynchronousTestCase):
    """The exchange itself."""

    def test_plain(self) -> None:
        """PLAIN names the user, his password, and whom he wants to act as."""
        self.assertEqual(Login("ann", "secret"), plain("\0ann\0secret"))
        self.assertEqual(Login("ann", "sé cret", "bob"), plain("bob\0ann\0sé cret"))

    def test_login(self) -> None:
        """LOGIN asks for the name, then for the password."""
        name = _challenge(begin("login"))
        self.assertEqual(b"334 VXNlcm5hbWU6\r\n", name.reply.octets)
        password = _challenge(respond(name, coded("ann")))
        self.assertEqual(b"334 UGFzc3dvcmQ6\r\n", password.reply.octets)
        self.assertEqual(Login("ann", "secret"), respond(password, coded("secret")))
        at_once = _challenge(begin("LOGIN " + coded("ann").decode()))
        self.assertEqual(password.text, at_once.text)

    def test_refused(self) -> None:
        """What two readers could read differently is no response at all (R74)."""
        for response in (
            "", "ann\0secret", "\0ann\0sec\0ret", "\0ann\0secret\0", "\0\0secret",
            "\0ann\0", b"\0ann\0\xff", b"\0\xc3\0secret", "\0ann\0" + "x" * 1025,
            "\0" + "a" * 1025 + "\0secret", "x" * 1025 + "\0ann\0secret",
        ):  # fmt: skip
            with self.subTest(response[:20]):
                self.assertRaises(Malformed, plain, response)
        for argument in (
            "", "PLAIN =", "PLAIN ====", "PLAIN  AGFubgBzZWNyZXQ=", "CRAM-MD5",
            "PLAIN AGFubgBzZWNyZXQ", "PLAIN AGFu=bgBzZWNyZXQ=",
            "PLAIN AGFubgBzZWNyZXQ= x", "PLAIN AGFubgBz!WNyZXQ=", "PLAIN é",
            "LOGIN =", "LOGIN YQBi", "PLAIN *",
        ):  # fmt: skip
            with self.subTest(argument):
                self.assertRaises(Malformed, begin, argument)

    def test_nothing_shown(self) -> None:
        """However a login is shown to people, the password is not (R77)."""
        self.assertNotIn("secret", repr(plain("\0ann\0secret")))
        self.assertNotIn("secret", repr(begin("LOGIN c2VjcmV0")))

    @given(st.text() | st.binary())
    def test_any(self, said: str | bytes) -> None:
        """Whatever a client says, it is a login or it is refused."""
        line = said.encode("utf-8", "replace") if isinstance(said, str) else said
        for challenge in begin("PLAIN"), begin("LOGIN"):
            for octets in line, coded(line):
                with contextlib.suppress(Malformed):
                    respond(_challenge(challenge), octets)

    @given(*(st.text(st.characters(exclude_characters="\0"), min_size=1) for _ in "ab"))
    def test_back(self, user: str, password: str) -> None:
        """Every name and password arrive as they were typed."""
        said = f"\0{user}\0{password}"
        try:
            octets = said.encode()
        except UnicodeEncodeError:
            return
        self.assertEqual(Login(user, password), plain(octets))


class SubmissionTests(SynchronousTestCase):
    """The conversation around it."""

    def test_offered(self) -> None:
        """AUTH is offered under TLS only, and nowhere else but here (R79)."""
        self.assertIn(b"\r\n250-AUTH PLAIN LOGIN\r\n", talk().sent)
        self.assertNotIn(b"AUTH", talk(secure=False).sent)
        for machine in ServerMachine, LMTPMachine:
            said = Conversation(machine(Limits(), Offer(starttls=True), True))
            hello = b"LHLO c\r\n" if machine is LMTPMachine else HELLO
            said.hear([hello + GOOD])
            self.assertNotIn(b"AUTH", said.sent)
            self.assertTrue(said.sent.splitlines()[-1].startswith(b"502 "))

    def test_clear(self) -> None:
        """In the clear nobody logs in, and the password is not even read (R79)."""
        said = talk(GOOD, MAIL, secure=False)
        self.assertFalse([e for e in said.events if isinstance(e, Login)])
        self.assertEqual([538, 530], codes(GOOD, MAIL, secure=False))
        self.assertIn(b"530 5.7.0 Must issue a STARTTLS", said.sent)

    def test_injected(self) -> None:
        """What was sent behind STARTTLS in the clear is not heard under TLS (R44)."""
        said = talk(b"STARTTLS\r\n", GOOD, MAIL, secure=False)
        self.assertTrue(
            said.sent.endswith(b"554 5.5.1 Nothing may follow STARTTLS\r\n")
        )
        self.assertTrue(said.machine.closed)
        said = talk(b"STARTTLS\r\n", secure=False)
        said.hear([MAIL, HELLO, GOOD, MAIL])
        codes = [int(reply[:3]) for reply in cut_replies(bytes(said.sent))]
        self.assertEqual([220, 503, 250, 235, 250], codes[2:])

    def test_taken(self) -> None:
        """Mail is taken from who has logged in, and from nobody else."""
        rest = b"RCPT TO:<b@b.example>\r\nDATA\r\nx: y\r\n\r\nz\r\n.\r\n"
        self.assertEqual([235, 250, 250, 354, 250], codes(GOOD, MAIL, rest))
        self.assertEqual([530, 503], codes(MAIL, b"RCPT TO:<b@b.example>\r\n"))
        self.assertEqual([535, 530], codes(BAD, MAIL))
        self.assertEqual([235, 250, 250], codes(GOOD, HELLO, MAIL))

    def test_exchanges(self) -> None:
        """A response may come in lines of its own, and "*" ends it."""
        name, word = coded("ann") + b"\r\n", coded("secret") + b"\r\n"
        self.assertEqual([334, 334, 235], codes(b"AUTH LOGIN\r\n", name, word))
        self.assertEqual([334, 235], codes(b"AUTH LOGIN " + name, word))
        both = coded("\0ann\0secret") + b"\r\n"
        self.assertEqual([334, 235], codes(b"auth plain\r\n", both))
        self.assertEqual(
            [334, 501, 250], codes(b"AUTH PLAIN\r\n", b"*\r\n", b"NOOP\r\n")
        )

    def test_commands_as_response(self) -> None:
        """What comes instead of a response is no command (R74)."""
        lines = {MAIL: 501, b"\xff\r\n": 501, b"\r\n": 501, b"a\nb\r\n": 500}
        # QUIT is Base64, and so it is a guess.
        for line, code in (lines | {b"NOOP\r\n": 501, b"QUIT\r\n": 535}).items():
            with self.subTest(line):
                found = codes(
                    b"AUTH LOGIN " + coded("ann") + b"\r\n", line, b"NOOP\r\n"
                )
                self.assertEqual([334, code, 250], found)

    def test_order(self) -> None:
        """It is for once, and not within a transaction (R74)."""
        self.assertEqual([235, 503, 250], codes(GOOD, GOOD, MAIL))
        self.assertEqual([235, 250, 503, 250], codes(GOOD, MAIL, GOOD, b"RSET\r\n"))
        machine = SubmissionMachine(Limits(), OFFER, True)
        first = Conversation(machine)
        first.hear([GOOD])
        self.assertIn(b"503 5.5.1", first.sent)

    def test_long(self) -> None:
        """A response of 12,288 octets is read, a longer one is thrown away."""
        line = b"A" * (LINE - 2)
        self.assertEqual(
            [334, 501, 250], codes(b"AUTH PLAIN\r\n", line, b"\r\nNOOP\r\n")
        )
        found = codes(b"AUTH PLAIN\r\n", line + b"A" * 99999, b"\r\n", b"NOOP\r\n")
        self.assertEqual([334, 500, 250], found)

    def test_guesses(self) -> None:
        """The third wrong guess ends the connection (R76)."""
        self.assertEqual([535, 535, 535], codes(BAD, BAD, BAD, GOOD))
        self.assertEqual([535, 535, 235], codes(BAD, BAD, GOOD, GOOD)[:3])
        junk = b"AUTH PLAIN x\r\n"
        self.assertEqual([501] * 10 + [421], codes(*[junk] * 20))

    def test_identity_of_mail(self) -> None:
        """The AUTH parameter of MAIL is read and means nothing (RFC 4954 §5)."""
        for parameter, code in ((b"<>", 250), (b"e+3Dm@a.example", 250), (b"+zz", 501)):
            mail = MAIL.replace(b"\r\n", b" AUTH=" + parameter + b"\r\n")
            self.assertEqual([235, code], codes(GOOD, mail))
        plain = Conversation(ServerMachine(Limits(), Offer()))
        plain.hear([HELLO + MAIL.replace(b"\r\n", b" AUTH=<>\r\n")])
        self.assertIn(b"\r\n555 ", plain.sent)

    @given(st.lists(st.integers(1, 60), max_size=30))
    def test_pieces(self, cuts: list[int]) -> None:
        """However the octets are cut, the conversation is the same."""
        octets = HELLO + b"AUTH LOGIN\r\n" + coded("ann") + b"\r\n" + coded("secret")
        octets += b"\r\n" + MAIL
        pieces, rest = [], octets
        for cut in cuts:
            pieces.append(rest[:cut])
            rest = rest[cut:]
        conversation = Conversation(SubmissionMachine(Limits(), OFFER, True))
        conversation.hear([*pieces, rest])
        self.assertEqual(talk(octets[len(HELLO) :]).sent, conversation.sent)
