"""Messages in chunks, as an adversary sends them."""

from tests.system.house import id_of
from tests.system.test_wire import HEAD, WireTests


class ChunkTests(WireTests):
    """BDAT: every octet counted (R62)."""

    def test_sizes(self) -> None:
        """Chunks of any size make one message, whatever ends them."""
        body = HEAD % b"chunks-%04d" + b".\r\n.\r\nx\r\n"
        with self.talk() as talk:
            for size in (1, 2, 3, 7, 1000):
                text = body % size
                talk.envelope()
                pieces = [text[at : at + size] for at in range(0, len(text), size)]
                for piece in pieces:
                    talk.send(b"BDAT %d\r\n" % len(piece) + piece)
                for _ in pieces:
                    self.assertEqual(b"250", talk.reply()[:3])
                self.assertEqual(250, talk.code(b"BDAT 0 LAST"))
                talk.ask(b"RSET")
        for size in (1, 2, 3, 7, 1000):
            (message,) = self.kept(b"chunks-%04d" % size)
            self.assertTrue(message.endswith(body % size), size)

    def test_refused(self) -> None:
        """A refused chunk is swallowed, never run."""
        evil = b"QUIT\r\nMAIL FROM:<evil@sender.test>\r\n"
        with self.talk() as talk:
            talk.send(b"BDAT %d LAST\r\n" % len(evil) + evil)
            self.assertEqual(b"503", talk.reply()[:3])
            self.assertTrue(talk.in_step())
            talk.envelope()
            talk.send(b"BDAT 5\r\nabcde")
            self.assertEqual(b"250", talk.reply()[:3])
            self.assertEqual(503, talk.code(b"DATA"))
            self.assertEqual(503, talk.code(b"RCPT TO:<user@example.test>"))
            self.assertEqual(250, talk.code(b"RSET"))
            talk.send(b"BDAT %d LAST\r\n" % len(evil) + evil)
            self.assertEqual(b"503", talk.reply()[:3])
            self.assertTrue(talk.in_step())

    def test_huge(self) -> None:
        """Too much is refused and swallowed; nonsense sizes end it."""
        with self.talk() as talk:
            talk.envelope()
            size = 52_428_801
            talk.send(b"BDAT %d LAST\r\n" % size)
            chunk = b"x" * 1_048_576
            for _ in range(size // len(chunk)):
                talk.send(chunk)
            talk.send(b"x" * (size % len(chunk)))
            self.assertEqual(b"552", talk.reply()[:3])
            self.assertTrue(talk.in_step())
        for number in (b"-1", b"1e3", b"0x10", b"9" * 21, b"1 FIRST"):
            talk = self.talk()
            talk.envelope()
            talk.send(b"BDAT " + number + b"\r\nMAIL FROM:<evil@sender.test>\r\n")
            said = talk.replies()
            self.assertEqual(([b"501"]), [s[:3] for s in said], number)
        self.nothing_left()

    def test_empty(self) -> None:
        """Nothing at all, by DATA and by BDAT, is a message without a header."""
        with self.talk() as talk:
            talk.envelope()
            first = talk.message(b"").decode()
            talk.envelope()
            said = talk.ask(b"BDAT 0 LAST").decode()
        for text in (first, said):
            if text[:3] == "250":
                self.house.ctl("trace", "show", id_of(text))
            else:
                self.assertEqual("550", text[:3], text)
        self.nothing_left()
