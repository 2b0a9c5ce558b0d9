"""What is seen of a message: text, links, pictures, attachments."""

import re
import sys
import zipfile
from io import BytesIO
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.attachments import extension, read_attachment
from smfd.content.features import (
    Features,
    address,
    display_name,
    paragraphs,
    read_features,
)
from smfd.content.html import Page, read_page
from smfd.content.shape import measure
from smfd.content.urls import find_urls, read_urls
from smfd.format.parts import read_parts

#: All white space there is.
BLANKS = [c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()]


def page(source: str) -> Page:
    """Read one page."""
    seen = Page()
    read_page(source, seen)
    return seen


def shape(message: bytes) -> dict[str, float]:
    """The shape of a message."""
    seen: Features = read_features(message)
    measure(seen)
    return seen.shape


def zipped(**files: bytes) -> bytes:
    """A zip archive; underscores in names stand for dots."""
    whole = BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return whole.getvalue()


class PageTests(SynchronousTestCase):
    """HTML is read for what it shows and what it hides."""

    def test_text(self) -> None:
        """Tags, comments, scripts and styles are no text; entities are."""
        seen = page(
            "<title>no</title><style>p{}</style><p>A &lt;b&gt;</p><!-- no -->"
            "<script>if (a < b) no()</script>B&#38;C<br>D"
        )
        self.assertEqual(seen.text.split(), ["A", "<b>", "B&C", "D"])
        self.assertEqual(seen.tags["script"], 1)

    def test_no_markup(self) -> None:
        """A bracket that begins no tag is text; a doctype is none."""
        seen = page("<!DOCTYPE html>I <3 you, a < b<?x?></ x>, c<")
        self.assertEqual(seen.text, "I <3 you, a < b, c<")

    def test_silent(self) -> None:
        """A script ends at its own end, however that is spelled, or never."""
        for source in (
            "a<SCRIPT x=1>b<p>c</p></scriPT>d",
            "a<style>b<!-- </style>d",
            "ad<title><b>b",
            "a</script>d<textarea><style></textarea",
        ):
            self.assertEqual(page(source).text, "ad", source)

    def test_hidden(self) -> None:
        """Text that is not shown is counted, and is no text."""
        seen = page(
            '<div style="display:none">a<div>b</div>c</div>d'
            '<span style="font-size: 0px">e</span>f'
        )
        self.assertEqual(("".join(seen.text.split()), seen.hidden), ("df", 4))

    def test_links(self) -> None:
        """Links are known with what they say; sources beside them."""
        seen = page(
            '<a href="http://a.example/?x=1&amp;y=2">say <b>this</b></a>'
            "<a href='http://b.example/'>that<img src=http://c.example/i.gif "
            "width=1 height=1>"
        )
        self.assertEqual(
            seen.links,
            [("http://a.example/?x=1&y=2", "say this"), ("http://b.example/", "that")],
        )
        self.assertEqual((seen.sources, seen.pixels), (["http://c.example/i.gif"], 1))

    def test_broken_words(self) -> None:
        """Comments inside words are noticed."""
        self.assertEqual(page("vi<!-- x -->ag<!-- y -->ra <!-- z -->").broken, 2)

    @given(
        st.lists(
            st.sampled_from(
                ["<", ">", "<!--", "-->", "<a href=", "</a", "<script", "</script>"]
                + ["'", '"', "&#99999999999999;", "&amp", "style='display:none'", "x"]
                + ["<div ", " "]
            )
        ).map("".join)
    )
    def test_any(self, source: str) -> None:
        """Whatever stands there, reading it ends."""
        page(source).text.encode("utf-8", "surrogatepass")

    def test_linear(self) -> None:
        """No page keeps the reader busy for more than a moment."""
        for piece in (
            *("<", "<a", "<!--", "<script>", "&#", "&#1", "<a href='", "</"),
            *("<div>", '<div style="display:none">', "<a href=x>", "x &amp; "),
        ):
            began = process_time()
            page(piece * (1_000_000 // len(piece)))
            self.assertLess(process_time() - began, 4, piece)


class UrlTests(SynchronousTestCase):
    """Addresses of pages, and what is odd about them."""

    def test_found(self) -> None:
        """Addresses are found in plain text, without the sentence around."""
        text = "See (http://a.example/x). Or www.b.example, or HTTPS://C.example/!"
        self.assertEqual(
            find_urls(text),
            ["http://a.example/x", "https://C.example/", "http://www.b.example"],
        )

    def test_oddities(self) -> None:
        """Each trick is called by its word."""
        for text, host, oddities in [
            ("http://www.example.org/", "www.example.org", ()),
            ("http://3221225985/", "192.0.2.1", ("numeric",)),
            ("http://0xC0000201/", "192.0.2.1", ("numeric",)),
            ("http://paypal.com@192.0.2.1/", "192.0.2.1", ("numeric", "user")),
            ("http://ex%61mple.org/", "example.org", ("encoded-host",)),
            ("http://a.example:8080/", "a.example", ("port",)),
            ("http://xn--a-ecp.example/", "xn--a-ecp.example", ("punycode",)),
            ("http://a.b.c.d.e.example/", "a.b.c.d.e.example", ("many-labels",)),
            ("http://a.example/?u=http://b", "a.example", ("redirect",)),
            ("http://a.example/x.exe", "a.example", ("program",)),
            ("https://bit.ly/x", "bit.ly", ("short",)),
            ("https:/\\a.example/", "a.example", ()),
        ]:
            (url,) = read_urls([text])
            self.assertEqual((url.host, url.oddities), (host, oddities), text)

    def test_no_address(self) -> None:
        """What leads to no page is left out."""
        self.assertEqual(read_urls(["mailto:a@b", "#top", "cid:x", "", "http://"]), ())

    @given(st.text(max_size=100))
    def test_any(self, text: str) -> None:
        """Whatever follows, it can be read."""
        read_urls([f"http://{text}", f"http://[{text}]", text])
        find_urls(f"http://{text} www.{text}")


class AttachmentTests(SynchronousTestCase):
    """Attachments are known by name, by content, and by what they list."""

    def marks(self, name: str, data: bytes) -> set[str]:
        """The marks of an attachment."""
        head = f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
        part = read_parts(head.encode() + data).parts[0]
        return set(read_attachment(part).marks)

    def test_marks(self) -> None:
        """Each danger is called by its word."""
        for name, data, marks in [
            ("a.txt", b"x", set()),
            ("a.EXE", b"x", {"program"}),
            ("a.exe. ", b"x", {"program"}),
            ("invoice.pdf .scr", b"x", {"program", "double"}),
            ("a.txt", b"MZ\x90", {"hidden-program"}),
            ("a.zip", zipped(a_txt=b"x"), {"container"}),
            ("a.zip", zipped(a_js=b"x"), {"container", "program-inside"}),
            ("a.docx", zipped(vbaProject_bin=b"x"), {"macro"}),
            ("a.zip", b"PK\x03\x04xx", {"container", "broken"}),
            ("a.pdf", b"%PDF-1.4 /OpenAction /JavaScript", {"active"}),
            ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1_VBA_PROJECT", {"macro"}),
        ]:
            self.assertEqual(self.marks(name, data), marks, name)

    def test_encrypted(self) -> None:
        """A locked archive is known."""
        data = bytearray(zipped(a_txt=b"x"))
        data[6] |= 1
        data[data.index(b"PK\x01\x02") + 8] |= 1
        self.assertIn("encrypted", self.marks("a.zip", bytes(data)))

    def test_long_list(self) -> None:
        """A list without end is not read."""
        data = bytearray(zipped(a_txt=b"x"))
        end = data.index(b"PK\x05\x06")
        data[end + 10 : end + 12] = b"\xff\xff"
        self.assertIn("long-list", self.marks("a.zip", bytes(data)))

    def test_extension(self) -> None:
        """The extension is what a double click goes by."""
        for name, kind in [("a.b.C", "c"), ("a", ""), ("a.exe . ", "exe"), (".x", "x")]:
            self.assertEqual(extension(name), kind)


class FeatureTests(SynchronousTestCase):
    """The whole message, as rules see it."""

    def test_addresses(self) -> None:
        """Address and name are told apart."""
        for text, found, name in [
            ("A B <A@b.example>", "a@b.example", "A B"),
            ('"X, Y" <x@y.example>, z@z.example', "x@y.example", "X, Y"),
            ("plain@b.example (name)", "plain@b.example", ""),
            ("nothing", "", ""),
        ]:
            self.assertEqual((address(text), display_name(text)), (found, name), text)

    def test_shape(self) -> None:
        """Numbers come out as they should."""
        found = shape(
            b"From: a@b.example\r\nTo: a@b.example\r\nReply-To: x@c.example\r\n"
            b"Subject: ALL OF IT NOW\r\nDate: Mon, 1 Jan 2024 20:00:00 +0000\r\n"
            b"Received: from a by b; Mon, 1 Jan 2024 10:00:00 +0000\r\n"
            b"Content-Type: text/html\r\n\r\n"
            b'<a href="http://evil.example/">www.bank.example</a> win $1,000,000'
            b" p\xd0\xb0yp\xd0\xb0l"
        )
        expected = {
            "from-is-to": 1,
            "reply-elsewhere": 1,
            "subject-capitals": 1,
            "date-shift-hours": 10,
            "link-mismatch": 1,
            "large-sums": 1,
            "mixed-script": 1,
            "plain-chars": 0,
        }
        self.assertEqual({name: found[name] for name in expected}, expected)

    def test_sums(self) -> None:
        """Large sums are counted in each currency, small ones are not."""
        signs = ("$", "USD", "EUR", "GBP", "\u20ac", "\u00a3")
        for text, sums in (
            *((f"{sign}5,000, {sign} 1.000.000", 2) for sign in signs),
            ("$20 for 5,000 words", 0),
            ("5,000 people", 0),
        ):
            self.assertEqual(shape(b"\r\n" + text.encode())["large-sums"], sums, text)

    @given(
        st.lists(
            st.sampled_from(
                [*BLANKS, "\n", "\n\n", " ", "  ", "a", "b", "\ud800", "\0"]
            )
        ).map("".join)
    )
    def test_paragraphs(self, text: str) -> None:
        """Empty lines part paragraphs, and words are parted by one space."""
        pieces = re.split(r"\n[^\S\n]*\n", text)
        lines = filter(None, (" ".join(piece.split()) for piece in pieces))
        expected = "\n".join(lines).encode("utf-8", "replace")
        self.assertEqual(expected, paragraphs(text))

    def test_paragraphs_linear(self) -> None:
        """No white space keeps us busy for more than a moment."""
        for piece in (" ", "\n", " \n", "\n\n\n", "\u3000", "a  \t\n \n", "\x1f"):
            began = process_time()
            paragraphs(piece * (500_000 // len(piece)))
            self.assertLess(process_time() - began, 2, ascii(piece))

    @given(st.binary(max_size=300))
    def test_any(self, data: bytes) -> None:
        """Whatever the octets, a shape comes out."""
        shape(data)
        shape(b"From: a\r\nContent-Type: text/html\r\n\r\n" + data)
        shape(b"From: " + data + b"\r\nDate: " + data + b"\r\n\r\n")
