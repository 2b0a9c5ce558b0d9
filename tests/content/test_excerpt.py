"""What a person is shown of a message that is held."""

import json
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.excerpt import excerpt
from smfd.content.worker import ANSWER
from smfd.model.excerpt import ATTACHED, LINE, LINES, LINKS
from tests.content.test_inside import archive, letter

HTML = b"Content-Type: text/html; charset=utf-8\r\n\r\n"


class ExcerptTests(SynchronousTestCase):
    """The beginning of a message."""

    def test_plain(self) -> None:
        """Who wrote to whom, and the text, empty lines run together."""
        said = excerpt(
            b"From: =?utf-8?q?J=C3=B6rg?= <j@a.example>\r\nTo: ann@b.example\r\n"
            b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\nDate: yesterday\r\n\r\n"
            b"\r\n\r\nHello  Ann,\r\n\r\n\r\n\r\n  see you\r\n",
            {},
        )
        self.assertEqual(
            {
                "from": "Jörg <j@a.example>",
                "reply-to": "",
                "to": "ann@b.example",
                "cc": "",
                "subject": "Grüße",
                "date": "yesterday",
            },
            said["header"],
        )
        (text,) = said["texts"]
        self.assertEqual("text/plain", text["type"])
        self.assertEqual(["Hello  Ann,", "", "see you"], text["lines"])
        self.assertFalse(text["more"])

    def test_html(self) -> None:
        """Of a page what it shows, a line for a line; what it hides is counted."""
        said = excerpt(
            HTML + b"<style>p {}</style><p>Pay\r\nnow&nbsp;<b>please</b><br>or else</p>"
            b'<div style="display:none">secret</div>'
            b'<a href="https://evil.example/x?a=1&amp;b=2">your bank</a>',
            {},
        )
        (text,) = said["texts"]
        self.assertEqual("text/html", text["type"])
        self.assertEqual(
            ["Pay now please", "or else", "your bank"],
            list(filter(None, text["lines"])),
        )
        self.assertEqual(6, said["hidden"])
        self.assertEqual(
            [{"target": "https://evil.example/x?a=1&b=2", "says": "your bank"}],
            said["links"],
        )

    def test_both(self) -> None:
        """A page that says more than the plain text is shown beside it."""
        for page, kinds in (
            ("<p>See <b>below</b></p>", ["text/plain"]),
            ("<p>See below, and pay</p>", ["text/plain", "text/html"]),
        ):
            made = EmailMessage()
            made.set_content("See below\n")
            made.add_alternative(page, subtype="html")
            said = excerpt(bytes(made), {})
            self.assertEqual(kinds, [text["type"] for text in said["texts"]])

    def test_attachments(self) -> None:
        """Names, types, sizes, and what an archive lists; nothing of their text."""
        said = excerpt(
            letter(
                ("Plän.pdf", "application/pdf", b"%PDF-1.7"),
                ("all.zip", "application/zip", archive("in/run.exe", "a.txt")),
                ("note.txt", "text/plain", b"not for eyes"),
            ),
            {},
        )
        found = [(one["name"], one["size"]) for one in said["attachments"]]
        self.assertEqual(("Plän.pdf", 8), found[0])
        self.assertEqual(["run.exe", "a.txt"], said["attachments"][1]["files"])
        self.assertIn("program-inside", said["attachments"][1]["marks"])
        self.assertEqual("note.txt", said["attachments"][2]["name"])
        self.assertNotIn("not for eyes", json.dumps(said["texts"]))

    def test_bounded(self) -> None:
        """Whatever there is much of, the answer is short and says how much."""
        said = excerpt(b"\r\n" + b"x" * 1000 + b"\r\n" * 2 + b"y\r\n" * 10_000, {})
        (text,) = said["texts"]
        self.assertEqual((LINES, True), (len(text["lines"]), text["more"]))
        self.assertEqual(["x" * LINE] * 5 + ["", "y"], text["lines"][:7])
        page = b"".join(b'<a href="http://h%d.example/">x</a>' % n for n in range(99))
        said = excerpt(HTML + page, {})
        self.assertEqual((99, LINKS), (said["link_count"], len(said["links"])))
        name = "\U0001f600" * 400
        files = archive(*("\U0001f600" * 300 + str(n) for n in range(30)))
        many = [(f"{n}{name}", "application/zip", files) for n in range(30)]
        said = excerpt(b"Subject: " + b"s" * 60_000 + b"\r\n" + letter(*many), {})
        self.assertEqual(
            (30, ATTACHED), (said["attachment_count"], len(said["attachments"]))
        )
        self.assertLess(len(json.dumps(said)), ANSWER)

    def test_invisible(self) -> None:
        """What takes no room is left out; what turns text around is not hidden."""
        said = excerpt("\r\nfr\u200bee\u00ad \u202egnp.exe\r\n".encode(), {})
        self.assertEqual(["free \u202egnp.exe"], said["texts"][0]["lines"])

    @given(st.binary(max_size=2000), st.sampled_from((b"", HTML)))
    def test_any(self, octets: bytes, before: bytes) -> None:
        """Any octets have an excerpt that a worker can tell."""
        self.assertLess(len(json.dumps(excerpt(before + octets, {}))), ANSWER)
