"""Tests for L{smfd.content.dkim_key}: keys that others made."""

import subprocess
from base64 import b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.content.dkim_key import NoKey, load_key, read_key
from smfd.model.dkim import NewKey

ED = ed25519.Ed25519PrivateKey.generate()
SEED = ED.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
PUBLIC = ED.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
RSA = rsa.generate_private_key(65537, 2048)


def pem(key: Any, form: PrivateFormat, secret: bytes = b"") -> str:
    """A key as others write it."""
    how = BestAvailableEncryption(secret) if secret else NoEncryption()
    return str(key.private_bytes(Encoding.PEM, form, how).decode())


WRITTEN = pem(RSA, PrivateFormat.PKCS8)


def openssl(*arguments: str, piped: str = "") -> str:
    """What OpenSSL prints."""
    command = ["openssl", *arguments]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, input=piped
    )
    return done.stdout


class ReadTests(SynchronousTestCase):
    """What is taken over from other servers, and what is not."""

    def same(self, key: Any, text: str) -> NewKey:
        """It is that key, and its record has the public half."""
        read = read_key(text)
        mine = load_key(read.private).public_key()
        self.assertEqual(key.public_key(), mine)
        self.assertIn("-----BEGIN PRIVATE KEY-----", read.private)
        return read

    def test_rsa(self) -> None:
        """PKCS #1 and PKCS #8, with whatever stands around it."""
        for form in PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8:
            text = pem(RSA, form)
            for one in text, text.replace("\n", "\r\n"), f"\n{text}mail._domainkey x\n":
                read = self.same(RSA, one)
                self.assertEqual(("rsa", False), (read.algorithm, read.is_weak))
                self.assertTrue(read.record.startswith("v=DKIM1; k=rsa; p=MIIB"))

    def test_ed25519(self) -> None:
        """PEM, or the octets as rspamd and dkimpy write them."""
        for text in (
            pem(ED, PrivateFormat.PKCS8),
            b64encode(SEED).decode(),
            b64encode(SEED + PUBLIC).decode() + "\nmail._domainkey IN TXT x\n",
        ):
            read = self.same(ED, text)
            record = f"v=DKIM1; k=ed25519; p={b64encode(PUBLIC).decode()}"
            self.assertEqual(("ed25519", record), (read.algorithm, read.record))

    def test_openssl(self) -> None:
        """Keys that OpenSSL makes have the public half that it says they have."""
        made = openssl("genrsa", "-traditional", "2048")
        self.assertIn("BEGIN RSA PRIVATE KEY", made)
        public = openssl("rsa", "-pubout", piped=made)
        record = "".join(public.splitlines()[1:-1])
        self.assertEqual(record, read_key(made).record.split("p=")[1])
        made = openssl("genpkey", "-algorithm", "ed25519")
        self.assertEqual("ed25519", read_key(made).algorithm)

    def test_short(self) -> None:
        """RFC 8301: under 1024 bits is none; under 2048 it is taken, and said so."""
        short: Any = rsa.generate_private_key(65537, 1024)
        self.assertTrue(read_key(pem(short, PrivateFormat.PKCS8)).is_weak)
        # Older than what the library still makes.
        with self.assertRaises(NoKey):
            read_key(openssl("genrsa", "-traditional", "768"))

    def test_refused(self) -> None:
        """Each other thing is refused with what to do, and none of it is repeated."""
        curve = ec.generate_private_key(ec.SECP256R1())
        other = dsa.generate_private_key(1024)
        public = RSA.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        secret = b"open sesame"
        for text, said in (
            ("", "no private key in PEM"),
            ("what?", "no private key in PEM"),
            (WRITTEN[:900], "damaged"),
            (WRITTEN.replace("M", "N"), "damaged"),
            (public.decode(), "public half"),
            ("-----BEGIN CERTIFICATE-----\n", "certificate"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "ssh-keygen"),
            (pem(RSA, PrivateFormat.PKCS8, secret), "openssl pkey"),
            (pem(RSA, PrivateFormat.TraditionalOpenSSL, secret), "openssl pkey"),
            (pem(curve, PrivateFormat.PKCS8), "another kind"),
            (pem(other, PrivateFormat.PKCS8), "another kind"),
            (b64encode(SEED + SEED).decode(), "halves"),
        ):
            with self.assertRaises(NoKey) as caught:
                read_key(text)
            self.assertIn(said, words := str(caught.exception))
            self.assertTrue(words.endswith("."))
            self.assertFalse(any(line in words for line in text.split("\n") if line))

    @given(
        st.one_of(
            st.text(max_size=200),
            st.builds(
                lambda at, size, put: WRITTEN[:at] + put + WRITTEN[at + size :],
                st.integers(0, len(WRITTEN)),
                st.integers(0, 40),
                st.text("AMb/=\n-\0é", max_size=4),
            ),
        )
    )
    def test_any(self, text: str) -> None:
        """Whatever it is, it is a key or it is refused."""
        try:
            self.assertIsInstance(read_key(text), NewKey)
        except NoKey as said:
            self.assertTrue(str(said))
