"""What is attached to a message: names and types, for mail policies."""

import io
import zipfile
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.inside import look_inside
from smfd.model.rule import FILE_TYPES


def archive(*names: str, octets_each: int = 1) -> bytes:
    """A zip archive with these files."""
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w") as made:
        for name in names:
            made.writestr(name, b"x" * octets_each)
    return octets.getvalue()


def letter(*attached: tuple[str, str, bytes]) -> bytes:
    """A message with attachments: name, type, octets."""
    made = EmailMessage()
    made["From"], made["Subject"] = "a@b.example", "files"
    made.set_content("See below.")
    for name, kind, octets in attached:
        main, _, sub = kind.partition("/")
        made.add_attachment(octets, maintype=main, subtype=sub, filename=name)
    return bytes(made)


class InsideTests(SynchronousTestCase):
    """Every name that something goes by."""

    def test_names(self) -> None:
        """Attachments, and what attached archives list; text has no name."""
        self.assertEqual({"files": [], "types": []}, look_inside(letter(), {}))
        said = look_inside(
            letter(
                ("Plän.pdf", "application/octet-stream", b"%PDF-1.7"),
                ("all.zip", "application/zip", archive("in/run.exe", "a.txt")),
                ("all.zip", "application/zip", archive("b.txt")),
            ),
            {},
        )
        self.assertEqual(
            ["Plän.pdf", "all.zip", "run.exe", "a.txt", "b.txt"], said["files"]
        )
        self.assertEqual(
            [
                *("application/octet-stream", "pdf"),
                *("application/zip", "zip", "container", "program-inside"),
            ],
            said["types"],
        )

    def test_marks(self) -> None:
        """What cannot be listed, or hides what it is, is known by a word."""
        for name, octets, word in (
            ("a.zip", archive("a.exe") + b"\0" * 100_000, "broken"),
            ("a.zip", archive(*map(str, range(1001))), "long-list"),
            ("a.txt", b"MZ\x90", "hidden-program"),
            ("a.pdf.exe", b"x", "double"),
            ("a.x", b"\x7fELF", "program"),
            ("a.x", b"Rar!\x1a\x07", "rar"),
            ("a.x", b"7z\xbc\xaf'\x1c", "7z"),
            ("a.x", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 _VBA_PROJECT", "macro"),
            ("a.x", b"%PDF-1.4 /JavaScript", "active"),
            ("a.x", b"L\0\0\0\x01\x14\x02\0", "lnk"),
            ("a.x", b"{\\rtf", "rtf"),
            ("a.x", b"\x1f\x8b", "gzip"),
            ("a.x", b"MSCF", "cab"),
        ):
            said = look_inside(letter((name, "a/b", octets)), {})
            self.assertIn(word, said["types"], name)
            # A rule may name each of them.
            self.assertLessEqual(set(said["types"]), {"a/b", *FILE_TYPES})

    def test_named_text(self) -> None:
        """Text with a file's name is a file."""
        message = letter().replace(
            b"Content-Type: text/plain;", b'Content-Type: text/plain; name="a.vbs";'
        )
        self.assertEqual(["a.vbs"], look_inside(message, {})["files"])

    def test_saved(self) -> None:
        """A file is called what it is called when it is saved."""
        names = "a.exe. .", "C:\\x\\b.exe", "../c.exe", "d\u202etxt.exe", "dir/"
        said = look_inside(letter(("z.zip", "a/b", archive(*names))), {})
        self.assertEqual(
            ["z.zip", "a.exe", "b.exe", "c.exe", "dtxt.exe"], said["files"]
        )

    def test_bounded(self) -> None:
        """A thousand attachments and long names cost no more than they may."""
        many = [(f"{n}.txt", "a/b", b"") for n in range(300)]
        self.assertEqual(100, len(look_inside(letter(*many), {})["files"]))
        names = [f"{n}{'x' * 400}.exe" for n in range(900)]
        zips = [(f"{n}.zip", "a/zip", archive(*names)) for n in range(4)]
        found = look_inside(letter(*zips), {})["files"]
        self.assertLessEqual(len(found), 2000)
        self.assertLessEqual(max(map(len, found)), 300)
        self.assertTrue(found[1].endswith(".exe"))

    @given(st.binary(max_size=300))
    def test_any(self, octets: bytes) -> None:
        """Whatever the octets, an answer comes."""
        head = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
        look_inside(octets, {})
        look_inside(head + octets, {})
