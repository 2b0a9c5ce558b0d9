"""How we speak to another server, without one."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.proto.answers import AnswerReader, Garbled, permanent, words
from smfd.proto.client import (
    Envelope,
    Parcel,
    Script,
    Skills,
    Talk,
    Unsafe,
    Unwilling,
    envelope,
    hello,
    login,
    opening,
    question,
    verdicts,
)
from smfd.proto.data import DataReader
from smfd.proto.line import LineBuffer
from smfd.proto.parcel import Wish
from smfd.proto.reply import Reply
from smfd.proto.stuffing import Chunk, Stuffing

FULL = {"PIPELINING": "", "SIZE": "1000", "8BITMIME": ""}

#: R42: what a dot may stand in.
SHAPES = (
    b".\r\n",
    b"..\r\n",
    b".x\r\n",
    b"\r\n.\r\n",
    b"a\r\n.",
    b".\r\n.\r\n",
)


#: What a peer may say that lies, or is broken.
SAYINGS = (
    b"250 a\r\n",
    b"250-",
    b"354 b\r\n",
    b"550 5.1.1 c\r\n",
    b"421 d\r\n",
    b"\n",
    b"x",
    b"220 e\r\n",
)


def split(octets: bytes, at: Sequence[int]) -> list[bytes]:
    """The octets in pieces, cut at some places."""
    places = [0, *sorted({n % (len(octets) + 1) for n in at}), len(octets)]
    return [octets[a:b] for a, b in zip(places, places[1:], strict=False)]


def stuffed(pieces: Sequence[bytes]) -> bytes:
    """A message as it goes over the wire."""
    stuffing = Stuffing()
    return b"".join(map(stuffing.more, pieces)) + stuffing.end()


def received(wire: bytes) -> tuple[bytes, bytes]:
    """What our own server takes for the message, and what it leaves over."""
    buffer, reader = LineBuffer(2048), DataReader(10_000_000)
    buffer.append(wire)
    found = b""
    while not reader.done and len(buffer):
        found += reader.read(buffer)
    return found, buffer.take()


class StuffingTests(SynchronousTestCase):
    """Dots, wherever the message is cut (R42)."""

    def test_sweep(self) -> None:
        """Dot lines at every offset around the sizes that buffers have."""
        cases = 0
        for size in (4096, 8192, 16384, 32768, 65536, 131072):
            for offset in range(-5, 6):
                for shape in SHAPES:
                    line = b"x" * 62 + b"\r\n"
                    head = (line * (size // 64 + 1))[: size + offset - 2] + b"\r\n"
                    message = head.replace(b"\r\r\n", b"x\r\n") + shape + b"end\r\n"
                    pieces = [message[:size], message[size:]]
                    wire = stuffed(pieces)
                    self.assertEqual(
                        (message, b""), received(wire), (size, offset, shape)
                    )
                    self.assertEqual(stuffed([message]), wire)
                    cases += 1
        self.assertEqual(6 * 11 * len(SHAPES), cases)

    @given(
        st.lists(st.sampled_from([b".", b"\r\n", b"a", b"..", b"\r\n."]), max_size=30),
        st.lists(st.integers(0, 100), max_size=6),
    )
    def test_any_cut(self, parts: list[bytes], at: list[int]) -> None:
        """However it is cut, one message comes out, the one that went in."""
        message = b"".join(parts) + b"\r\n"
        wire = stuffed(split(message, at))
        self.assertEqual((message, b""), received(wire))
        self.assertEqual(1, (b"\r\n" + wire).count(b"\r\n.\r\n"))

    def test_last_line(self) -> None:
        """A last line without its end gets one: the dot must stand alone."""
        self.assertEqual(b"a\r\n.\r\n", stuffed([b"a"]))
        self.assertEqual(b".\r\n", stuffed([]))


class ChunkTests(SynchronousTestCase):
    """A message whose length is said (RFC 3030)."""

    def test_length(self) -> None:
        """It goes as it is, behind its length, dots and all."""
        pieces = [b".\r\n", b"..\r\n.", b"\r\n"]
        chunk = Chunk(10)
        wire = chunk.begin() + b"".join(map(chunk.more, pieces)) + chunk.end()
        self.assertEqual(b"BDAT 10 LAST\r\n.\r\n..\r\n.\r\n", wire)

    def test_wrong_length(self) -> None:
        """What is longer would be taken for commands, what is shorter for less."""
        chunk = Chunk(3)
        chunk.more(b"ab")
        self.assertRaises(ValueError, chunk.end)
        self.assertRaises(ValueError, chunk.more, b"cd")

    def test_chosen(self) -> None:
        """It goes so where the server offers it, and by DATA elsewhere."""
        parcel = Parcel("", ("a@b.test",), 7)
        for offer, said, wire in (
            ({"CHUNKING": ""}, 2, b"BDAT 7 LAST\r\n.a\r\nb\r\n"),
            ({}, 3, b"..a\r\nb\r\n.\r\n"),
        ):
            talk = Talk()
            talk.begin(envelope(parcel, Skills({"PIPELINING": "", **offer})))
            talk.receive(b"250 ok\r\n250 ok\r\n354 go\r\n"[: said * 8])
            framing = talk.result.framing()
            whole = framing.begin() + framing.more(b".a\r\nb\r\n") + framing.end()
            self.assertEqual(wire, whole)


class AnswerTests(SynchronousTestCase):
    """Replies, and what is none."""

    def test_kinds(self) -> None:
        """One line and several, with a status and without."""
        said = b"250-2.1.0 one\r\n250 2.1.0 two\r\n550 no\r\n421 4.3.2\n250\r\n"
        told = [words(answer) for answer in AnswerReader().read(said)]
        self.assertEqual(["250 2.1.0 one / two", "550 no", "421 4.3.2 ", "250 "], told)

    def test_status_of_another_class(self) -> None:
        """A status that contradicts the code is text."""
        (answer,) = AnswerReader().read(b"550 2.0.0 odd\r\n")
        self.assertEqual(("", ("2.0.0 odd",)), (answer.status, answer.lines))
        self.assertTrue(permanent(answer))
        (answer,) = AnswerReader().read(b"500 what?\r\n")
        self.assertTrue(permanent(answer))

    def test_forgets(self) -> None:
        """Of what was broken off nothing is kept, and nothing is part of the next."""
        reader = AnswerReader()
        self.assertEqual([], list(reader.read(b"250-one\r\n250 tw")))
        reader.clear()
        self.assertEqual(0, len(reader))
        told = [words(answer) for answer in reader.read(b"550 no\r\n")]
        self.assertEqual(["550 no"], told)

    def test_garbage(self) -> None:
        """What is no reply, or has no end, is told at once."""
        for said in (
            b"hello\r\n",
            b"199 x\r\n",
            b"600 x\r\n",
            b"25 x\r\n",
            b"2500 x\r\n",
            b"\r\n",
            b"250_x\r\n",
            b"250-a\r\n251 b\r\n",
            b"250-a\r\n" * 101,
            b"2" * 3000,
            b"250 " + b"x" * 2048 + b"\r\n",
            (b"250-" + b"x" * 2000 + b"\r\n") * 20,
            b"\x16\x03\x01\x02\x00\n",
            b"HTTP/1.1 400 Bad Request\r\n",
        ):
            with self.assertRaises(Garbled, msg=said[:30]):
                list(AnswerReader().read(said))

    @given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
    def test_anything(self, said: bytes, at: list[int]) -> None:
        """Whatever comes and however it is cut: the same replies, or the same no."""

        def read(pieces: Sequence[bytes]) -> list[Reply | str]:
            reader, found = AnswerReader(), list[Reply | str]()
            try:
                for piece in pieces:
                    for answer in reader.read(piece):
                        found.append(answer)
            except Garbled as error:
                found.append(str(error))
            return found

        self.assertEqual(read([said]), read(split(said, at)))


class Dialogue:
    """A dialogue in a file: C{S:} they say, C{C:} we must say, nothing else."""

    def __init__(self, text: str) -> None:
        head, _, self.text = text.partition("\n\n")
        self.options = dict(
            line.split(": ", 1) for line in head.split("\n") if ": " in line
        )

    def script(self) -> Script:
        """What is to be said, as the head of the file has it."""
        options = self.options
        lmtp = options.get("protocol") == "lmtp"
        recipients = tuple(options.get("to", "a@far.test").split())
        skills: Skills = yield from opening("mx.test", lmtp, options.get("tls", "none"))
        if skills.secure:
            return "secure"
        size = int(options.get("size", "10"))
        sender = options.get("from", "x@y.test").replace("<>", "")
        sent = yield from envelope(Parcel(sender, recipients, size), skills)
        if not sent.go:
            return ", ".join(map(words, sent.answers)) + (
                " stuck" if sent.stuck else ""
            )
        answers = yield from verdicts(sent, lmtp)
        return ", ".join(map(words, answers))

    def run(self) -> tuple[str, str]:
        """What was said by us, in the file's form, and how it ended."""
        talk, told = Talk(), []
        try:
            waiting = talk.begin(self.script())
            for line in self.text.rstrip("\n").split("\n"):
                kind, _, rest = line.partition(": ")
                if kind == "S":
                    octets = rest.encode().decode("unicode_escape").encode("latin-1")
                    waiting += talk.receive(octets + b"\r\n")
                elif kind == "C":
                    ours, _, waiting = waiting.partition(b"\r\n")
                    told.append(f"C: {ours.decode()}")
            told += [f"C: {ours}" for ours in waiting.decode().split("\r\n") if ours]
            end = str(talk.result) if talk.idle else "waits"
            if talk.broken:
                end += " broken"
        except (Garbled, Unwilling) as error:
            end = type(error).__name__.lower()
        return "\n".join(told), end


class DialogueTests(SynchronousTestCase):
    """Conversations as files."""

    def test_all(self) -> None:
        """We say what each file has us say, and come to its end."""
        folder = Path(__file__).parents[1] / "dialogs" / "client"
        paths = sorted(folder.glob("*.smtp"))
        self.assertGreaterEqual(len(paths), 20)
        for path in paths:
            dialogue = Dialogue(path.read_text())
            lines = dialogue.text.split("\n")
            ours = "\n".join(line for line in lines if line.startswith("C: "))
            self.assertEqual((ours, dialogue.options["end"]), dialogue.run(), path.name)


class ScriptTests(SynchronousTestCase):
    """What needs no file."""

    def run_script(self, script: Script, *said: bytes) -> tuple[bytes, object]:
        """What we sent, and the result."""
        talk = Talk()
        sent = talk.begin(script)
        for piece in said:
            sent += talk.receive(piece)
        return sent, talk.result

    def test_too_big(self) -> None:
        """What is larger than they say they take is not even tried."""
        parcel = Parcel("", ("a@b.test",), 1001)
        sent, result = self.run_script(envelope(parcel, Skills(FULL)))
        self.assertEqual(b"", sent)
        self.assertEqual(552, result.answers[0].code)  # type: ignore[attr-defined]

    def test_no_more(self) -> None:
        """After nonsense nothing more is said: its answers might be another's."""
        talk = Talk()
        talk.begin(opening("mx.test"))
        with self.assertRaises(Garbled):
            talk.receive(b"nonsense\r\n")
        with self.assertRaisesRegex(Garbled, "nonsense"):
            talk.begin(opening("mx.test"))

    def test_unspeakable(self) -> None:
        """An address with a line end in it never reaches the wire."""
        for bad in ("a\r\nDATA\r\n@b.test", "a\x00@b.test", "x" * 2000, "\ud800@b"):
            for parcel in (Parcel(bad, ("a@b.test",), 1), Parcel("", (bad,), 1)):
                sent, result = self.run_script(envelope(parcel, Skills(FULL)))
                self.assertEqual(b"", sent)
                self.assertEqual(553, result.answers[0].code)  # type: ignore[attr-defined]

    def test_utf8(self) -> None:
        """An address in UTF-8 goes only where it is understood."""
        parcel = Parcel("é@b.test", ("a@b.test",), 1)
        sent, _ = self.run_script(envelope(parcel, Skills(FULL)))
        self.assertEqual(b"", sent)
        skills = Skills({"SMTPUTF8": ""})
        sent, _ = self.run_script(envelope(parcel, skills))
        self.assertEqual("MAIL FROM:<é@b.test> SMTPUTF8\r\n".encode(), sent)

    def test_notifications(self) -> None:
        """What the sender wants to be told goes where it is understood (RFC 3461)."""
        wishes = (Wish("SUCCESS,DELAY", "rfc822;a+2Bx@b.test"), Wish())
        parcel = Parcel(
            "x@y.test",
            ("a@b.test", "c@b.test"),
            1,
            ret="HDRS",
            envid="QQ+2B1",
            wishes=wishes,
        )
        plain = {"PIPELINING": ""}
        sent, _ = self.run_script(envelope(parcel, Skills({**plain, "DSN": ""})))
        self.assertEqual(
            b"MAIL FROM:<x@y.test> RET=HDRS ENVID=QQ+2B1\r\n"
            b"RCPT TO:<a@b.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bx@b.test\r\n"
            b"RCPT TO:<c@b.test>\r\n"
            b"DATA\r\n",
            sent,
        )
        sent, _ = self.run_script(envelope(parcel, Skills(plain)))
        self.assertEqual(
            b"MAIL FROM:<x@y.test>\r\nRCPT TO:<a@b.test>\r\n"
            b"RCPT TO:<c@b.test>\r\nDATA\r\n",
            sent,
        )

    def test_odd_parameters(self) -> None:
        """No parameter begins a command of its own, and ORCPT is spelled in ASCII."""
        wishes = (Wish("NEVER\r\nDATA", "utf-8;ü@b.test"),)
        parcel = Parcel("", ("a@b.test",), 1, envid="a b", wishes=wishes)
        skills = Skills({"DSN": "", "PIPELINING": ""})
        sent, _ = self.run_script(envelope(parcel, skills))
        self.assertEqual(
            b"MAIL FROM:<>\r\nRCPT TO:<a@b.test> ORCPT=utf-8;\\x{FC}@b.test\r\n"
            b"DATA\r\n",
            sent,
        )

    def test_utf8_header(self) -> None:
        """A header in UTF-8 goes only where it is understood (RFC 6531)."""
        parcel = Parcel("a@b.test", ("a@b.test",), 1, smtputf8=True)
        sent, result = self.run_script(envelope(parcel, Skills(FULL)))
        self.assertEqual(b"", sent)
        self.assertEqual("5.6.7", result.answers[0].status)  # type: ignore[attr-defined]
        sent, _ = self.run_script(envelope(parcel, Skills({"SMTPUTF8": ""})))
        self.assertEqual(b"MAIL FROM:<a@b.test> SMTPUTF8\r\n", sent)

    def test_login(self) -> None:
        """A smarthost is told who we are, by PLAIN or else by LOGIN (RFC 4954)."""
        both = Skills({"AUTH": "LOGIN PLAIN"}, secure=True)
        sent, result = self.run_script(login("u", "p", both), b"235 2.7.0 in\r\n")
        self.assertEqual((b"AUTH PLAIN AHUAcA==\r\n", both), (sent, result))
        said = (b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n", b"235 in\r\n")
        one = Skills({"AUTH": "LOGIN"}, secure=True)
        sent, result = self.run_script(login("u", "p", one), *said)
        self.assertEqual((b"AUTH LOGIN\r\ndQ==\r\ncA==\r\n", one), (sent, result))

    def test_login_refused(self) -> None:
        """A refusal is for now, and a password that is echoed is not written down."""
        for said in b"535 5.7.8 AHUAcA==\r\n", b"454 4.7.0 AHUAcA==\r\n", b"334 \r\n":
            talk = Talk()
            talk.begin(login("u", "p", Skills({"AUTH": "PLAIN"}, secure=True)))
            with self.assertRaises(Unwilling) as caught:
                talk.receive(said)
            self.assertNotIn("AHUAcA==", str(caught.exception))

    def test_login_unsafe(self) -> None:
        """In the clear, or where no way is known, no password is said (R45)."""
        for skills in (
            Skills({"AUTH": "PLAIN"}),
            Skills({"AUTH": "CRAM-MD5"}, secure=True),
            Skills({}, secure=True),
        ):
            with self.assertRaises(Unsafe):
                Talk().begin(login("u", "p", skills))

    def test_shutting_down(self) -> None:
        """Behind a 421 nothing is waited for; what was said before stands."""
        talk = Talk()
        parcel = Parcel("", ("a@b.test", "c@d.test", "e@f.test"), 1)
        talk.begin(envelope(parcel, Skills(FULL)))
        talk.receive(b"250 ok\r\n550 5.1.1 nobody\r\n421 4.3.2 going down\r\n")
        self.assertTrue(talk.idle)
        self.assertFalse(talk.result.go)
        down = "421 4.3.2 going down"
        told = [words(answer) for answer in talk.result.answers]
        self.assertEqual(["550 5.1.1 nobody", down, down], told)
        self.assertEqual(down, talk.broken)

    def test_shutting_down_at_once(self) -> None:
        """A 421 to all of it says nothing of any recipient."""
        for said in b"421 4.3.2 down\r\n", b"250 ok\r\n421 4.3.2 down\r\n":
            talk = Talk()
            talk.begin(envelope(Parcel("", ("a@b.test",), 1), Skills(FULL)))
            with self.assertRaises(Unwilling):
                talk.receive(said)

    def test_shutting_down_halfway(self) -> None:
        """Who has his copy does not get another, when LMTP ends in between."""
        talk, yes = Talk(), Reply(250, "", ("ok",))
        talk.begin(verdicts(Envelope((yes,) * 3, True), lmtp=True))
        talk.receive(b"250 2.0.0 a has it\r\n421 4.3.2 going down\r\n")
        self.assertEqual([250, 421, 421], [answer.code for answer in talk.result])

    def test_unsafe(self) -> None:
        """Where TLS is required and not offered, no mail is named in the clear."""
        for tls in ("required", "verify"):
            talk = Talk()
            sent = talk.begin(opening("mx.test", tls=tls))
            sent += talk.receive(b"220 \r\n")
            with self.assertRaises(Unsafe):
                sent += talk.receive(b"250 hop\r\n")
            self.assertEqual(b"EHLO mx.test\r\n", sent)

    def test_empty_line(self) -> None:
        """A line of the answer to EHLO that names nothing offers nothing."""
        answer = b"250-hop\r\n250- \r\n250-\r\n250 SIZE 5\r\n"
        _, result = self.run_script(hello("mx.test", secure=True), answer)
        self.assertEqual({"SIZE": "5"}, result.words)  # type: ignore[attr-defined]

    def test_after_tls(self) -> None:
        """The second EHLO counts, and not what was said in the clear."""
        _, result = self.run_script(hello("mx.test", secure=True), b"250 hop\r\n")
        self.assertEqual(Skills({}, True), result)

    def test_question(self) -> None:
        """Asking for a recipient sends no message."""
        said = (b"250 ok\r\n", b"550 5.1.1 nobody\r\n")
        sent, result = self.run_script(question("a@b.test", Skills(FULL)), *said)
        expected = b"MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<a@b.test>\r\n"
        self.assertEqual(expected, sent)
        self.assertEqual("550 5.1.1 nobody", words(result))  # type: ignore[arg-type]

    @given(st.lists(st.sampled_from(SAYINGS), max_size=30))
    def test_any_peer(self, said: list[bytes]) -> None:
        """Whatever a peer says, there is an end or a wait, and never an accident."""
        text = "to: a@b.test c@d.test\n\n"
        talk = Talk()
        try:
            talk.begin(Dialogue(text).script())
            for piece in said:
                talk.receive(piece)
        except (Garbled, Unwilling):
            pass
        self.assertTrue(talk.idle or not talk.broken)
