"""DKIM signatures: other people's vectors, and what must not pass."""

import base64
import re
import types
from pathlib import Path
from typing import Any

import dkim
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smfd
from smfd.content.signatures import names, verify
from smfd.format.header import Field, Header

VECTORS = Path(smfd.__file__).parents[1].parent / "shared" / "conformance" / "dkim"

#: What each vector must come to, result by result.  005 has expired,
#: no_t had its x= put in after it was signed, the key of message.mbox is not known.
EXPECTED = {
    "mail-auth/001.txt": ["pass", "pass"],
    "mail-auth/002.txt": ["pass"],
    "mail-auth/003.txt": ["pass", "pass"],
    "mail-auth/004.txt": ["pass"],
    "mail-auth/005.txt": ["permerror"],
    "mail-auth/006.txt": ["pass"],
    "mimekit/gmail.msg": ["pass"],
    "mimekit/related.msg": ["pass"],
    "mimekit/multipart-no-end-boundary.msg": ["pass"],
    "mimekit/rfc8463-example.msg": ["pass", "pass"],
    "dkimpy/ed25519test2.msg": ["pass"],
    "dkimpy/message.mbox": ["permerror"],
    "dkimpy/rfc6376.signed.msg": ["pass", "pass"],
    "dkimpy/rfc6376.signed.no_t.msg": ["fail"],
    "dkimpy/rfc6376.signed.rsa.msg": ["pass"],
    "dkimpy/test.message.baddomain": ["permerror"],
    "dkimpy/test2.message": ["pass"],
    "dkimpy/test.message": [],
    "dkimpy/rfc6376.msg": [],
}

#: Why a signature is not even looked at.
REASONS = ("the signature is too long", "h= names too many fields")

MESSAGE = (
    b"From: Joe <joe@example.org>\r\nTo: ann@example.net\r\nSubject: Dinner\r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700\r\n\r\nHi.\r\n\r\nAre you  hungry?\r\n"
)


def wire(data: bytes) -> bytes:
    """With CRLF line ends, as it came."""
    return re.sub(rb"\r?\n", b"\r\n", data)


def vector_keys() -> dict[str, str]:
    """The key records of the vectors, by name."""
    keys = {}
    for path in sorted((VECTORS / "mail-auth").glob("0*.txt")):
        records = path.read_text("latin-1").replace("\r", "").partition("\n\n")[0]
        for line in records.split("\n"):
            name, _, text = line.partition(" ")
            keys[name.lower()] = text
    lines = (VECTORS / "mimekit" / "gmail.pub").read_text().split("\n")
    keys["20120113._domainkey.gmail.com"] = "k=rsa; p=" + "".join(lines[1:-2])
    exim = (VECTORS / "dkimpy" / "eximtest.dns").read_text()
    keys["sed._domainkey.test.ex"] = exim.strip()
    return keys


def vector(name: str) -> bytes:
    """The message of a vector."""
    data = wire((VECTORS / name).read_bytes())
    return data.partition(b"\r\n\r\n")[2] if name.startswith("mail-auth") else data


class VectorTests(SynchronousTestCase):
    """Messages that other programs signed."""

    def test_all(self) -> None:
        """Each comes to what it must, and every signed file is in the table."""
        keys = {"keys": vector_keys()}
        for name, expected in EXPECTED.items():
            found = [s["result"] for s in verify(vector(name), keys)]
            self.assertEqual(expected, found, name)
        signed = {
            f"{path.parent.name}/{path.name}"
            for path in VECTORS.glob("*/*")
            if b"\nDKIM-Signature:" in b"\n" + path.read_bytes()
        }
        self.assertEqual(set(), signed - set(EXPECTED))

    def test_in_time(self) -> None:
        """A signature that has expired since was good when it was made."""
        clock = types.SimpleNamespace(time=lambda: 1667843700)
        self.patch(dkim, "time", clock)
        found = verify(vector("mail-auth/005.txt"), {"keys": vector_keys()})
        self.assertEqual(["pass"], [s["result"] for s in found])

    def test_changed(self) -> None:
        """A changed body or subject no longer passes."""
        keys = {"keys": vector_keys()}
        data = vector("mimekit/gmail.msg")
        for old, new in ((b"Subject: ", b"Subject: Re: "), (b"\r\n\r\n", b"\r\n\r\nx")):
            found = verify(data.replace(old, new, 1), keys)
            self.assertEqual(["fail"], [s["result"] for s in found])


class Signed(SynchronousTestCase):
    """Messages signed here, with a published test key."""

    def setUp(self) -> None:
        folder = VECTORS / "dkimpy"
        self.private = (folder / "2048_testkey.key").read_bytes()
        public = (folder / "2048_testkey_wo_markers.pub.txt").read_text()
        self.key = "v=DKIM1; p=" + public.partition("p=")[2].strip()

    def sign(self, message: bytes = MESSAGE, **more: Any) -> bytes:
        """A signature field above the message."""
        more.setdefault("canonicalize", (b"relaxed", b"relaxed"))
        domain = more.pop("domain", b"example.org")
        field: bytes = dkim.sign(message, b"sel", domain, self.private, **more)
        return field + message

    def verify(self, message: bytes, key: str | None = "") -> dict[str, Any]:
        """The first result."""
        key = self.key if key == "" else key
        keys = dict.fromkeys(["sel._domainkey.example.org"], key)
        return verify(message, {"keys": keys})[0]


class SignatureTests(Signed):
    """What passes, and what must not (R83)."""

    def test_pass(self) -> None:
        """A good signature says whose it is."""
        for canonicalize in ((b"relaxed", b"relaxed"), (b"simple", b"simple")):
            found = self.verify(self.sign(canonicalize=canonicalize))
            self.assertEqual(
                {
                    "domain": "example.org",
                    "selector": "sel",
                    "result": "pass",
                    "reason": "",
                    "partial": False,
                    "bits": 2048,
                },
                found,
            )

    def test_length(self) -> None:
        """A signature that leaves part of the body open is marked so."""
        found = self.verify(self.sign(length=True) + b"buy this\r\n")
        self.assertEqual(("pass", True), (found["result"], found["partial"]))

    def test_lengths(self) -> None:
        """What one signature leaves open, another over the same body does not."""
        whole, half = self.sign(), self.sign(length=True)
        own = half[: -len(MESSAGE)]
        keys = {"keys": {"sel._domainkey.example.org": self.key}}
        for message in (own + whole, whole[: -len(MESSAGE)] + half):
            found = {
                s["partial"]: s["result"] for s in verify(message + b"x\r\n", keys)
            }
            self.assertEqual({True: "pass", False: "fail"}, found)

    def test_second_from(self) -> None:
        """A second From never passes, wherever it is put."""
        signed = self.sign()
        for changed in (
            b"From: boss@bank.example\r\n" + signed,
            signed.replace(b"\r\nTo:", b"\r\nfrom : boss@bank.example\r\nTo:", 1),
            signed.replace(b"\r\nTo:", b"\r\nFROM: boss@bank.example\r\nTo:", 1),
        ):
            self.assertNotEqual("pass", self.verify(changed)["result"])

    def test_no_from(self) -> None:
        """A signature over the absence of an author does not pass."""
        _, _, anonymous = MESSAGE.partition(b"\r\n")
        signed = self.sign(anonymous, include_headers=[b"from", b"to"])
        found = self.verify(signed)
        self.assertEqual("permerror", found["result"])
        self.assertIn("0 From", found["reason"])

    def test_from_unsigned(self) -> None:
        """A signature that does not cover From proves nothing."""
        signed = self.sign().replace(b"from : ", b"").replace(b" : from", b"")
        signed = re.sub(rb"h=[^;]*;", b"h=to : subject;", signed, count=1)
        found = self.verify(signed)
        self.assertEqual("permerror", found["result"])
        self.assertIn("From", found["reason"])

    def test_keys(self) -> None:
        """What a key record must not be."""
        signed = self.sign()
        p = self.key.partition("p=")[2]
        for key, result in {
            None: "permerror",
            "temperror": "temperror",
            "v=DKIM1; p=": "permerror",
            f"v=DKIM2; p={p}": "permerror",
            f"v=DKIM1; k=ed25519; p={p}": "permerror",
            f"v=DKIM1; k=other; p={p}": "permerror",
            f"v=DKIM1; h=sha1; p={p}": "permerror",
            f"v=DKIM1; h=sha1 : sha256; p={p}": "pass",
            f"v=DKIM1; s=tlsrpt; p={p}": "permerror",
            f"v=DKIM1; s=other; p={p}": "permerror",
            f"v=DKIM1; s=email; p={p}": "pass",
            f"v=DKIM1; s=*; t=y; p={p}": "pass",
            f"v=DKIM1; p={p}; p={p}": "permerror",
            "v=DKIM1; p=!!!": "permerror",
            "nonsense": "permerror",
            "\ud800": "permerror",
        }.items():
            self.assertEqual(result, self.verify(signed, key)["result"], ascii(key))

    def test_key_sizes(self) -> None:
        """Too short a key is no signature; absurd ones cost no time."""
        signed = self.sign()
        for bits, exponent, result in (
            (512, 65537, "none"),
            (1023, 65537, "none"),
            (16384, 65537, "permerror"),
            (2048, (1 << 2047) + 1, "permerror"),
        ):
            found = self.verify(signed, rsa((1 << bits) - 1, exponent))
            self.assertEqual((bits, result), (found["bits"], found["result"]))

    def test_testing(self) -> None:
        """A domain that is testing is no worse off than without signatures."""
        key = self.key.replace("p=", "t=y; p=")
        found = self.verify(self.sign() + b"more\r\n", key)
        self.assertEqual("neutral", found["result"])

    def test_subdomain(self) -> None:
        """A key with t=s does not speak for subdomains."""
        signed = self.sign(identity=b"joe@sub.example.org")
        self.assertEqual("pass", self.verify(signed)["result"])
        key = self.key.replace("p=", "t=s; p=")
        self.assertEqual("permerror", self.verify(signed, key)["result"])

    def test_sha1(self) -> None:
        """RFC 8301: SHA-1 is not accepted."""
        signed = self.sign(signature_algorithm=b"rsa-sha1")
        self.assertEqual("permerror", self.verify(signed)["result"])

    def test_names(self) -> None:
        """A selector with a NUL or a bracket is asked for nowhere."""
        for domain, selector in (
            (b"example.org", b"sel\0.attacker.example"),
            (b"legit.example(.attacker.example", b"sel"),
            (b"example.org", b"a b"),
            (b"", b"sel"),
            (b"x" * 300, b"sel"),
        ):
            value = b"v=1; a=rsa-sha256; h=from; b=AAAA; bh=AAAA; d=%s; s=%s" % (
                domain,
                selector,
            )
            header = Header((Field("DKIM-Signature", value, 0, 0),), 0)
            self.assertEqual([], names(header))
            message = b"DKIM-Signature: " + value + b"\r\n" + MESSAGE
            self.assertEqual("permerror", verify(message, {"keys": {}})[0]["result"])

    def test_names_of_a_header(self) -> None:
        """The names to look up, each once, for the first ten."""
        fields = [
            Field("dkim-SIGNATURE", b" v=1; d=Example.org;\r\n\ts=s%d" % (n % 12), 0, 0)
            for n in (0, 0, *range(1, 20))
        ]
        found = names(Header(tuple(fields), 0))
        self.assertEqual([f"s{n}._domainkey.example.org" for n in range(9)], found)

    def test_many(self) -> None:
        """Of fifty signatures ten are looked at."""
        line = self.sign().partition(b"From: ")[0]
        keys = {"sel._domainkey.example.org": self.key}
        self.assertEqual(10, len(verify(line * 50 + MESSAGE, {"keys": keys})))

    def test_unreadable(self) -> None:
        """A header that cannot be read has no good signature."""
        signed = self.sign()
        for broken in (b"no colon\r\n" + signed, b" folded\r\n" + signed):
            self.assertEqual("permerror", self.verify(broken)["result"])
        self.assertEqual([], verify(b"no colon\r\n\r\n", {"keys": {}}))
        self.assertEqual([], verify(b"", {}))

    def test_hostile(self) -> None:
        """Long runs and long lists come to an end (each took minutes)."""
        blanks = self.sign() + b" " * 400_000 + b"x\r\n"
        self.assertEqual("fail", self.verify(blanks)["result"])
        many = b"h=from" + b":x" * 5000 + b";"
        for bad in (b"h=" + b" " * 10_000 + b";", many, b"z=" + b"x" * 20_000 + b";"):
            field = b"DKIM-Signature: v=1; a=rsa-sha256; bh=AAAA; b=AAAA; " + bad
            data = field + b" d=example.org; s=sel\r\n" + MESSAGE
            found = self.verify(data)
            self.assertEqual("permerror", found["result"])
            self.assertIn(found["reason"], REASONS)

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.sampled_from([b" ", b"  ", b"\t", b"a", b".", b"\r\n", b"\r\n\r\n"]),
            max_size=12,
        )
    )
    def test_any_body(self, pieces: list[bytes]) -> None:
        """
        Blanks anywhere: what another program signed as "relaxed" passes.

        The body is brought to a form that "simple" leaves alone, since over ten
        megabytes dkimpy's "relaxed" took half a second.
        """
        head, _, _ = MESSAGE.partition(b"\r\n\r\n")
        message = head + b"\r\n\r\n" + b"".join(pieces) + b"\r\n"
        self.assertEqual("pass", self.verify(self.sign(message))["result"])

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_any_change(self, data: st.DataObject) -> None:
        """However the fields are cut up, there is a result and no exception."""
        signed = self.sign()
        end = signed.index(b"\r\nFrom:")
        at = data.draw(st.integers(0, end))
        junk = data.draw(
            st.sampled_from([b"", b";", b"=", b" ", b"\xff", b"b=", b"\r\n"])
        )
        skip = data.draw(st.integers(0, 30))
        changed = signed[:at] + junk + signed[at + skip :]
        for found in verify(
            changed, {"keys": {"sel._domainkey.example.org": self.key}}
        ):
            self.assertIn(
                found["result"],
                {"pass", "fail", "neutral", "none", "temperror", "permerror"},
            )


def rsa(modulus: int, exponent: int) -> str:
    """A key record with these numbers."""
    der = tlv(0x30, integer(modulus) + integer(exponent))
    return "v=DKIM1; p=" + base64.b64encode(der).decode()


def integer(number: int) -> bytes:
    """X.690 §8.3."""
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def tlv(tag: int, value: bytes) -> bytes:
    """X.690 §8.1: tag, length, value."""
    return bytes([tag, 0x82]) + len(value).to_bytes(2, "big") + value
