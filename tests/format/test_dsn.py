"""What senders are told (RFC 3464), read by programs that are not ours."""

from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from pathlib import Path

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.format.dsn import RETURNED, Original, Report, dsn
from smfd.format.dsn_words import meaning
from smfd.model.cause import Kind

SHARED = Path(smfd.__file__).parents[1].parent / "shared"

NOW = 1_795_000_000.0
ZOE = "zoe@far.example"
HEADER = (
    b"Received: from somewhere by us\r\nFrom: Ann <ann@home.example>\r\n"
    b"Subject: Hello\r\nMessage-ID: <1@home.example>\r\n"
)
ORIGINAL = Original("01m", "ann@home.example", NOW - 60, HEADER)
FAILED = Report(ZOE, "failed", NOW, "5.1.1", 550, "no such user", "mx.far.example")

#: Text of anybody, with what breaks lines, fields and parts.
HOSTILE = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            ["\r\n", "\n", "\r", "--=0=01m=", "X-Evil: 1", " ", "\u2028", "\x85", "é"]
        ),
        max_size=8,
    ).map("".join),
)
ADDRESSES = HOSTILE.map(lambda text: (text or "x") + "@far.example")


def make(*reports: Report, original: Original = ORIGINAL, remark: str = "") -> bytes:
    """One of ours."""
    return dsn(
        hostname="mx.home.example",
        postmaster="postmaster@home.example",
        id="02b",
        at=NOW,
        original=original,
        reports=reports or (FAILED,),
        remark=remark,
    )


def read(octets: bytes) -> EmailMessage:
    """As the standard library reads it."""
    made = BytesParser(policy=policy.default).parsebytes(octets)
    assert isinstance(made, EmailMessage)
    return made


def status_of(message: Message) -> list[Message]:
    """The groups of fields of a report, of any program's."""
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            groups = part.get_payload()
            if isinstance(groups, list):
                return [group for group in groups if isinstance(group, Message)]
    return []


def people(octets: bytes) -> str:
    """What a person reads, in one line."""
    body = read(octets).get_body()
    assert isinstance(body, EmailMessage)
    return " ".join(str(body.get_content()).split())


class ShapeTests(SynchronousTestCase):
    """The three parts, and what stands in them."""

    def test_failed(self) -> None:
        """It names the recipient, what happened, and what was said there."""
        made = read(make())
        self.assertEqual(
            [
                "multipart/report",
                "text/plain",
                "message/delivery-status",
                "text/plain",
                "text/plain",
                "text/rfc822-headers",
            ],
            [part.get_content_type() for part in made.walk()],
        )
        self.assertEqual("delivery-status", made.get_param("report-type"))
        self.assertEqual("Not delivered: Hello", made["subject"])
        self.assertEqual("ann@home.example", made["to"])
        self.assertEqual("Mail Delivery System <postmaster@home.example>", made["from"])
        self.assertEqual("<1@home.example>", made["in-reply-to"])
        self.assertEqual("<1@home.example>", made["references"])
        self.assertEqual("auto-replied", made["auto-submitted"])
        self.assertEqual("<02b@mx.home.example>", made["message-id"])
        general, one = status_of(made)
        self.assertEqual("dns; mx.home.example", general["reporting-mta"])
        self.assertIn("2026", general["arrival-date"])
        self.assertNotIn("original-envelope-id", general)
        self.assertEqual("rfc822; zoe@far.example", one["final-recipient"])
        self.assertEqual("failed", one["action"])
        self.assertEqual("5.1.1", one["status"])
        self.assertEqual("dns; mx.far.example", one["remote-mta"])
        self.assertEqual("smtp; 550 5.1.1 no such user", one["diagnostic-code"])
        for name in "original-recipient", "will-retry-until":
            self.assertNotIn(name, one)
        said = people(make())
        for words in (
            "<zoe@far.example>",
            "There is no such mailbox.",
            "letter by letter",
            "The server mx.far.example said: 550 5.1.1 no such user",
            "is not tried again",
            "Number: 01m",
        ):
            self.assertIn(words, said)
        self.assertTrue(make().isascii())
        self.assertNotIn(b"8bit", make())
        self.assertIn(b"\r\n\r\n" + HEADER, make())

    def test_delayed(self) -> None:
        """A warning says until when it is tried, and that nothing is to be done."""
        report = evolve(FAILED, action="delayed", status="4.4.1", until=NOW + 400_000)
        octets = make(evolve(report, code=0, text="timed out"))
        self.assertEqual("Not delivered yet: Hello", read(octets)["subject"])
        one = status_of(read(octets))[1]
        self.assertEqual(("delayed", "4.4.1"), (one["action"], one["status"]))
        self.assertEqual("Mon, 23 Nov 2026 02:13:20 +0000", one["will-retry-until"])
        self.assertEqual("x-smfd; timed out", one["diagnostic-code"])
        said = people(octets)
        self.assertIn("You need not do anything", said)
        self.assertIn("It is tried until Mon, 23 Nov 2026 02:13:20 +0000.", said)
        self.assertNotIn("Only those who look after", said)

    def test_success(self) -> None:
        """Whoever asked hears that it arrived, or that no more will be heard."""
        done = evolve(FAILED, action="delivered", status="2.0.0", code=250, text="ok")
        octets = make(done, evolve(done, action="relayed", address="y@far.example"))
        self.assertEqual("Delivered: Hello", read(octets)["subject"])
        groups = status_of(read(octets))[1:]
        self.assertEqual(
            [("delivered", "2.0.0"), ("relayed", "2.0.0")],
            [(group["action"], group["status"]) for group in groups],
        )
        self.assertIn(
            "was delivered to one recipient: <zoe@far.example>", people(octets)
        )
        self.assertIn(
            "to a server that does not say what becomes of it", people(octets)
        )
        self.assertNotIn(" said: ", people(octets))

    def test_asked(self) -> None:
        """The sender's own names for message and recipient come back (RFC 3461)."""
        report = evolve(FAILED, original=("rfc822", "Team+x@far.example"))
        octets = make(report, original=evolve(ORIGINAL, envid="QQ 314"))
        general, one = status_of(read(octets))
        self.assertEqual("QQ 314", general["original-envelope-id"])
        self.assertEqual("rfc822; Team+x@far.example", one["original-recipient"])
        self.assertIn("(you wrote to Team+x@far.example)", people(octets))
        self.assertNotIn(
            "you wrote", people(make(evolve(FAILED, original=("rfc822", ZOE))))
        )

    def test_silent(self) -> None:
        """Where nobody said a word, none is shown."""
        said = people(make(evolve(FAILED, code=0, text="", host="")))
        self.assertIn("There is no such mailbox.", said)
        self.assertNotIn("In detail", said)
        self.assertTrue(said.endswith("Number: 01m"))
        self.assertTrue(people(make(remark="So there.")).endswith("01m So there."))

    def test_many(self) -> None:
        """A thousand recipients: programs get all, people the first hundred."""
        names = [f"u{n}@far.example" for n in range(1000)]
        octets = make(*[evolve(FAILED, address=name) for name in names])
        found = [group["final-recipient"] for group in status_of(read(octets))[1:]]
        self.assertEqual([f"rfc822; {name}" for name in names], found)
        self.assertIn("to 1000 recipients", people(octets))
        self.assertIn("and 900 more", people(octets))
        self.assertNotIn("<u100@", people(octets))

    def test_subject(self) -> None:
        """A subject in any script is shown; none leaves a gap."""
        header = "Subject: =?utf-8?b?R3LDvMOfZQ==?= an Jörg\r\n".encode()
        octets = make(original=evolve(ORIGINAL, header=header))
        self.assertEqual("Not delivered: Grüße an Jörg", read(octets)["subject"])
        self.assertIn("Subject: Grüße an Jörg", people(octets))
        self.assertNotIn("in-reply-to", read(octets))
        octets = make(original=evolve(ORIGINAL, header=b"Subject: be\x07ll\r\n"))
        self.assertNotIn(b"\x07", octets.partition(b"\r\n\r\n")[0])
        octets = make(original=evolve(ORIGINAL, header="Subject: Ü\r\n".encode()))
        self.assertTrue(octets.partition(b"\r\n\r\n")[0].isascii())
        octets = make(original=evolve(ORIGINAL, header=b""))
        self.assertIn("Subject: (none)", people(octets))

    def test_loops(self) -> None:
        """Nothing of the original's can make its Message-ID a field of ours."""
        for name in (
            b"<a@b>\tX: y",
            b"<a b@c>",
            b"<\x07@b>",
            b"a@b",
            b"<\xff@b>",
            b"<" + b"a" * 999,
        ):
            header = b"Message-ID: " + name + b"\r\n"
            made = read(make(original=evolve(ORIGINAL, header=header)))
            self.assertNotIn("references", made, name)


class ReturnedTests(SynchronousTestCase):
    """What is given back of the message."""

    def returned(self, original: Original) -> tuple[str, bytes]:
        """Type and octets of the last part."""
        octets = make(original=original)
        boundary = octets.partition(b'boundary="')[2].partition(b'"')[0]
        part = octets.split(b"\r\n--" + boundary)[3]
        head, _, body = part.partition(b"\r\n\r\n")
        kind = head.partition(b"Content-Type: ")[2].partition(b"\r\n")[0]
        return kind.decode(), body

    def test_large_header(self) -> None:
        """A large header is cut at a line's end: all of it is below 50 KB (R55)."""
        header = HEADER + b"X-Long: " + b"x" * 900 + b"\r\n"
        header += b"".join(b"X-%d: %s\r\n" % (n, b"y" * 200) for n in range(2000))
        original = evolve(ORIGINAL, header=header)
        kind, body = self.returned(original)
        self.assertEqual("text/rfc822-headers", kind)
        self.assertTrue(header.startswith(body))
        self.assertTrue(body.endswith(b"y\r\n"))
        self.assertLessEqual(len(body), RETURNED)
        self.assertLess(len(make(original=original)), 50_000)

    def test_reply(self) -> None:
        """A reply is said as it was: a status that only we gave it is not in it."""
        for status, said in (
            ("5.7.1", "550 5.7.1 go"),
            ("5.0.0", "550 go"),
            ("4.4.7", "550 go"),
        ):
            report = evolve(FAILED, code=550, status=status, text="go")
            self.assertEqual(said, report.reply)
            one = status_of(read(make(report)))[1]
            self.assertEqual(f"smtp; {said}", one["diagnostic-code"])

    def test_full(self) -> None:
        """Who asks for all of a small message gets it; of a large one its header."""
        small = evolve(ORIGINAL, body=b"Hi.\r\n--=0=02b=--\r\n")
        self.assertEqual(
            ("message/rfc822", HEADER + b"\r\nHi.\r\n--=0=02b=--\r\n"),
            self.returned(small),
        )
        large = evolve(ORIGINAL, body=b"x" * RETURNED)
        self.assertEqual(("text/rfc822-headers", HEADER), self.returned(large))

    def test_eight_bits(self) -> None:
        """UTF-8 has a name of its own (RFC 6533); other octets come as they are."""
        header = HEADER + "X-Name: Jörg\r\n".encode()
        self.assertEqual(
            ("message/global-headers", header),
            self.returned(evolve(ORIGINAL, header=header)),
        )
        self.assertEqual(
            ("message/global", header + b"\r\nHi"),
            self.returned(evolve(ORIGINAL, header=header, body=b"Hi")),
        )
        header = HEADER + b"X-Name: J\xf6rg\r\n"
        self.assertEqual(
            ("text/rfc822-headers", header),
            self.returned(evolve(ORIGINAL, header=header)),
        )


class InternationalTests(SynchronousTestCase):
    """Addresses that are not ASCII (RFC 6533)."""

    def test_sender(self) -> None:
        """To such a sender it is written in UTF-8."""
        report = evolve(FAILED, address="zoë@far.example")
        octets = make(report, original=evolve(ORIGINAL, sender="jörg@home.example"))
        self.assertIn("\r\nTo: <jörg@home.example>\r\n".encode(), octets)
        self.assertIn(b"\r\nContent-Transfer-Encoding: 8bit\r\n", octets)
        self.assertIn(b"\r\nContent-Type: message/global-delivery-status\r\n", octets)
        self.assertIn(
            "\r\nFinal-Recipient: utf-8; zoë@far.example\r\n".encode(), octets
        )

    def test_recipient(self) -> None:
        """To another, such a recipient is spelled in ASCII for programs."""
        octets = make(evolve(FAILED, address="zoë@far.example"))
        one = status_of(read(octets))[1]
        self.assertEqual("utf-8; zo\\x{EB}@far.example", one["final-recipient"])
        self.assertIn("<zoë@far.example>", people(octets))


class HostileTests(SynchronousTestCase):
    """Nothing that others said gets out of its place."""

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.builds(
                Report,
                ADDRESSES,
                st.sampled_from(["failed", "delayed", "delivered", "relayed"]),
                st.just(NOW),
                st.sampled_from(["5.1.1", "4.4.1", "5.7.1", "2.0.0", "5.9.9", ""]),
                st.sampled_from([0, 250, 550]),
                HOSTILE,
                HOSTILE,
                st.sampled_from([0.0, NOW]),
                st.none() | st.tuples(HOSTILE, HOSTILE),
            ),
            min_size=1,
            max_size=3,
        ),
        HOSTILE,
        ADDRESSES,
    )
    def test_texts(self, reports: list[Report], envid: str, sender: str) -> None:
        """Whatever servers and senders wrote, fields and parts stay ours."""
        original = Original("01m", sender, NOW, HEADER, envid=envid)
        octets = make(*reports, original=original)
        self.assertNotIn(b"\n", octets.replace(b"\r\n", b""))
        self.assertNotIn(b"\r", octets.replace(b"\r\n", b""))
        self.assertLess(max(map(len, octets.split(b"\r\n"))), 998)
        made = message_from_bytes(octets)
        self.assertEqual(
            ["From", "To", "Subject", "Date", "Message-ID", "In-Reply-To",
             "References", "Auto-Submitted", "MIME-Version", "Content-Type"],
            made.keys(),
        )  # fmt: skip
        parts = made.get_payload()
        self.assertEqual(3, len(parts))
        text = octets.partition(b"elivery-status\r\n")[2].partition(b"\r\n\r\n")[2]
        groups = text.partition(b"\r\n--=")[0].strip().split(b"\r\n\r\n")
        self.assertEqual(1 + len(reports), len(groups))
        known = {
            b"Original-Envelope-Id", b"Reporting-MTA", b"Arrival-Date",
            b"Original-Recipient", b"Final-Recipient", b"Action", b"Status",
            b"Remote-MTA", b"Diagnostic-Code", b"Last-Attempt-Date",
            b"Final-Log-Id", b"Will-Retry-Until",
        }  # fmt: skip
        for group in groups:
            names = [
                line.partition(b":")[0]
                for line in group.split(b"\r\n")
                if not line.startswith(b" ")
            ]
            self.assertEqual(len(names), len(set(names)))
            self.assertLessEqual(set(names), known)

    def test_long(self) -> None:
        """No line is longer than a line may be, however long a word is."""
        for letter in "x", "ü", "\U0001f4a9":
            report = evolve(FAILED, address=letter * 3000, text=letter * 3000)
            for sender in "ann@home.example", letter * 3000:
                octets = make(report, original=evolve(ORIGINAL, sender=sender))
                self.assertLess(max(map(len, octets.split(b"\r\n"))), 998)

    def test_plain(self) -> None:
        """What programs read is ASCII, whatever a server said."""
        report = evolve(FAILED, text="keine Lösung", host="mx.für.example")
        one = status_of(read(make(report)))[1]
        self.assertEqual("smtp; 550 5.1.1 keine L?sung", one["diagnostic-code"])
        self.assertEqual("dns; mx.f?r.example", one["remote-mta"])

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                [b"--=0=02b=", b"\r\n", b"--=1=02b=--", b"Subject: ", b"x", b"\xff",
                 b"=?utf-8?q?=0D=0AX:?=", b" ", b": "]
            ),
            max_size=12,
        )
    )  # fmt: skip
    def test_header(self, pieces: list[bytes]) -> None:
        """Whatever a header has in it, it is one part, and the last."""
        header = b"".join(pieces)
        octets = make(original=evolve(ORIGINAL, header=header))
        made = message_from_bytes(octets)
        self.assertEqual(3, len(made.get_payload()))
        boundary = made.get_boundary()
        assert boundary is not None
        self.assertEqual(4, octets.count(b"--" + boundary.encode()))
        self.assertTrue(octets.endswith(b"--" + boundary.encode() + b"--\r\n"))


class WordsTests(SynchronousTestCase):
    """What statuses mean."""

    @given(st.text("0123456789.x", max_size=10))
    def test_any(self, status: str) -> None:
        """Whatever stands there, something is said."""
        for kind in ("", "odd", *(kind.value for kind in Kind)):
            self.assertTrue(meaning(status, kind).what)

    def test_causes(self) -> None:
        """The words of a refusal may tell more than its status, or less."""
        self.assertIn("no such mailbox", meaning("5.0.0", "unknown_recipient").what)
        self.assertIn("no such mail domain", meaning("5.1.2", "unknown_recipient").what)
        self.assertIn("thinks badly", meaning("5.7.1", "reputation_address").what)
        self.assertIn("in all scripts", meaning("5.6.7", "content").what)
        self.assertIn("for spam", meaning("5.7.1", "content").what)
        self.assertIn("own rules", meaning("5.7.1", "policy").what)

    def test_known(self) -> None:
        """A detail wins over its subject, and the class does not matter."""
        self.assertIn("full", meaning("5.2.2").what)
        self.assertEqual(meaning("4.2.2"), meaning("5.2.2"))
        self.assertIn("takes no mail", meaning("5.2.9").what)
        self.assertIn("own rules", meaning("5.7.509").what)

    def test_no_way(self) -> None:
        """Where mail leads to no server, nobody is told to send it again (RFC 3463)."""
        found = meaning("5.4.4")
        self.assertIn("There is no way to a server", found.what)
        self.assertIn("Look whether the domain", found.next)
        self.assertNotIn("again", found.next)


class OthersTests(SynchronousTestCase):
    """Beside the reports that other programs write."""

    def test_same_reader(self) -> None:
        """One reader understands the world's reports, and ours as well."""
        folder = SHARED / "conformance" / "dsn" / "sisimai-bsd"
        paths = [*folder.glob("lhost-postfix-*.eml"), *folder.glob("rfc3464-*.eml")]
        understood = [self.fields(path.read_bytes()) for path in sorted(paths)]
        self.assertGreaterEqual(len([found for found in understood if found]), 70)
        self.assertEqual([("failed", "5.1.1", ZOE)], self.fields(make()))

    def fields(self, octets: bytes) -> list[tuple[str, str, str]]:
        """Action, status and address of each recipient."""
        return [
            (
                group["action"].strip().lower(),
                group["status"].split()[0],
                group["final-recipient"].partition(";")[2].strip(),
            )
            for group in status_of(message_from_bytes(octets))
            if group["action"] and group["status"] and group["final-recipient"]
        ]
