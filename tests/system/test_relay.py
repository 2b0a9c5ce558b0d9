"""We take mail for our own mailboxes and for nobody else (R52, R56)."""

import atexit
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smfd.format.header import read_header
from tests.system.house import House
from tests.system.talk import Talk

#: The sender's domain proves its mail by SPF.
OFFLINE = """
[dns]
offline = true
[[dns.record]]
name = "sender.test"
type = "TXT"
value = "v=spf1 ip4:127.0.0.0/8 -all"
"""


@cache
def running() -> House:
    """A daemon for all tests here; it ends with us."""
    house = House(("user@example.test",), OFFLINE)
    atexit.register(house.remove)
    house.start()
    return house


#: Ways to say "somebody elsewhere", with us on the way or not.
RELAYS = (
    *(b"<victim@elsewhere.test>", b"<victim%elsewhere.test@example.test>"),
    *(
        b"<victim%elsewhere.test@mx.example.test>",
        b"<victim%elsewhere.test@[127.0.0.1]>",
    ),
    *(b"<elsewhere.test!victim>", b"<elsewhere.test!victim@example.test>"),
    *(
        b"<example.test!elsewhere.test!victim@example.test>",
        b"<victim@elsewhere.test@example.test>",
    ),
    *(
        b"<@example.test:victim@elsewhere.test>",
        b"<@mx.example.test:victim@elsewhere.test>",
    ),
    *(b"<@example.test,@mx.example.test:victim@elsewhere.test>",),
    *(b"<@[127.0.0.1]:victim@elsewhere.test>", b"<@localhost:victim@elsewhere.test>"),
    *(b'<"victim@elsewhere.test">', b'<"victim@elsewhere.test"@example.test>'),
    *(
        b'<"victim%elsewhere.test"@example.test>',
        b'<"elsewhere.test!victim"@example.test>',
    ),
    *(b'<"victim"@elsewhere.test>', b'<"user@example.test"@elsewhere.test>'),
    *(b"<victim@[192.0.2.1]>", b"<victim@[127.0.0.1]>", b"<victim@[IPv6:::1]>"),
    *(
        b"<user@[127.0.0.1]>",
        b"<user@localhost>",
        b"<victim@127.0.0.1>",
        b"<victim@2130706433>",
    ),
    *(
        b"<user@example.test.>",
        b"<user@.example.test>",
        b"<user@example.test.elsewhere.test>",
    ),
    *(
        b"<user@sub.example.test>",
        b"<user@xexample.test>",
        b"<user@example>",
        b"<user@>",
    ),
    *(
        b"<user@example.test\0@elsewhere.test>",
        b"<victim@elsewhere.test\0example.test>",
    ),
    *(
        b"<user@example.test,victim@elsewhere.test>",
        b"<user@example.test><victim@elsewhere.test>",
    ),
    *(
        b"<user@example.test> <victim@elsewhere.test>",
        b"<user@example.test;victim@elsewhere.test>",
    ),
    *(b"<victim@elsewhere.test>,<user@example.test>",),
    *(
        b"<victim@elsewhere.test(@example.test)>",
        b"<victim(@example.test)@elsewhere.test>",
    ),
    *(b"<user@example.test(.elsewhere.test)>", b"<user@elsewhere.test#example.test>"),
    *(b"<victim@elsewhere.test> ORCPT=rfc822;user@example.test",),
    *(
        b"<victim@elsewhere.test/example.test>",
        b"<victim@elsewhere.test\\example.test>",
    ),
    *(
        b"<victim@elsewhere.test?user@example.test>",
        b"<victim@elsewhere.test\t@example.test>",
    ),
    *(b"victim@elsewhere.test", b"<user@\xef\xbd\x85xample.test>"),
    *(b"<:victim@elsewhere.test>", b"<+victim%elsewhere.test@example.test>"),
)

SENDERS = (
    *(
        b"<>",
        b"<alice@sender.test>",
        b"<user@example.test>",
        b"<postmaster@example.test>",
    ),
    *(b"<user@localhost>", b"<user@[127.0.0.1]>", b"<@example.test:user@example.test>"),
    b'<"user@example.test"@example.test>',
)

#: Names that lead elsewhere, when somebody makes a path or a command of them.
TRICKS = (
    *(b"../user", b"..", b".", b"/etc/passwd", b"user/../../x", b"user/new", b"~root"),
    *(b"user\0", b"*", b"user?", b"$(id)", b"`id`", b"-oQ/tmp", b"|id", b"|/bin/sh"),
    *(b":include:/etc/passwd", b"%2e%2e%2f", b"user;id", b"user\\..", b"con", b"user "),
    *(b"\xc2\xadser", b"%s%n", b"user\r", b"us\xc3\xa9r/../x"),
)


class RelayTests(SynchronousTestCase):
    """Who is not ours is refused at RCPT, whoever asks."""

    def test_forms(self) -> None:
        """Every form of address, under every disguise of sender."""
        house, count = running(), 0
        self.assertGreaterEqual(len(RELAYS), 49)
        for sender in SENDERS:
            for form in RELAYS:
                with Talk(house.port) as talk:
                    self.assertEqual(250, talk.code(b"MAIL FROM:" + sender))
                    said = talk.ask(b"RCPT TO:" + form)
                    self.assertIn(said[:1], b"5", (form, sender, said))
                    self.assertEqual(503, talk.code(b"DATA"), (form, sender))
                    count += 1
        self.assertGreaterEqual(count, 392)
        self.assertEqual([], house.mailbox())

    def test_paths(self) -> None:
        """No name of a mailbox becomes a path, as recipient or as sender."""
        house = running()
        before = self.files(house.home)
        count = 0
        for trick in TRICKS:
            quoted = b'"' + trick.replace(b"\\", b"\\\\") + b'"'
            for local in (trick, quoted):
                for path in (
                    b"<" + local + b"@example.test>",
                    b"<user@" + local + b".example.test>",
                    b"<user@../" + local + b">",
                ):
                    with Talk(house.port) as talk:
                        talk.code(b"MAIL FROM:<a@sender.test> SMTPUTF8")
                        said = talk.ask(b"RCPT TO:" + path)
                        self.assertEqual(b"5", said[:1], (path, said))
                        count += 1
        self.assertGreaterEqual(count, 23 * 6)
        self.assertEqual(before, self.files(house.home))

    def test_senders(self) -> None:
        """A tricky sender is refused, or is nothing but text."""
        house = running()
        taken = 0
        for trick in TRICKS:
            quoted = b'"' + trick.replace(b"\\", b"\\\\") + b'"'
            with Talk(house.port) as talk:
                line = b"MAIL FROM:<" + quoted + b"@sender.test> SMTPUTF8"
                if talk.code(line) == 250:
                    talk.code(b"RCPT TO:<user@example.test>")
                    said = talk.message(
                        b"From: a@sender.test\r\nTo: user@example.test\r\n"
                        b"Message-ID: <1@sender.test>\r\n"
                        b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
                        b"Subject: tricky\r\n\r\nHello\r\n"
                    )
                    self.assertEqual(b"250", said[:3], (trick, said))
                    taken += 1
        self.assertGreater(taken, 10)
        house.until(lambda: len(house.mailbox()) >= taken)
        for message in house.mailbox():
            names = [field.name for field in read_header(message).fields]
            self.assertEqual(1, names.count("Return-Path"), message)
            self.assertEqual(1, names.count("Received"), message)
            self.assertEqual("Subject", names[-1], message)
        mail = house.home / "mail"
        self.assertEqual(["example.test"], [path.name for path in mail.iterdir()])

    def files(self, folder: Path) -> list[str]:
        """Every file below a folder but databases and logs, which grow."""
        skip = (".db", "-wal", "-shm", ".log")
        return sorted(
            str(path) for path in folder.rglob("*") if not path.name.endswith(skip)
        )
