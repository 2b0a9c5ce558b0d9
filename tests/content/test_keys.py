"""The keys of DKIM signatures: read once, and used as numbers."""

import base64

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SynchronousTestCase

from smfd.content import signatures
from smfd.content.keys import Key, read_key
from tests.content.test_signatures import Signed
from tests.content.test_signatures import rsa as record


class KeyTests(Signed):
    """What is remembered of keys, and what they prove."""

    def counted(self) -> list[bytes]:
        """The records that are read from now on."""
        asked: list[bytes] = []

        def counting(text: bytes) -> Key:
            asked.append(text)
            return read_key(text)

        self.patch(signatures, "read_key", counting)
        return asked

    def test_remembered(self) -> None:
        """A key is read once; another key under the same name is another."""
        asked = self.counted()
        verifier = signatures.Verifier()
        name, other = "sel._domainkey.example.org", record((1 << 2048) - 1, 65537)
        message = self.sign()
        results = [
            verifier.verify(message, {"keys": {name: key}})[0]["result"]
            for key in (self.key, self.key, other, self.key, other)
        ]
        self.assertEqual(["pass", "pass", "fail", "pass", "fail"], results)
        self.assertEqual([self.key.encode(), other.encode()], asked)

    def test_bounded(self) -> None:
        """Neither many keys nor long ones fill the memory."""
        asked = self.counted()
        verifier = signatures.Verifier()
        name, message = "sel._domainkey.example.org", self.sign()
        long = self.key + "; n=" + "x" * 5000
        keys = [f"{self.key}; n={number}" for number in range(200)]
        for key in (keys[0], *keys, keys[0], long, long):
            verifier.verify(message, {"keys": {name: key}})
        self.assertEqual(203, len(asked))


class NumberTests(SynchronousTestCase):
    """RSA as RFC 8017 §8.2.2 has it."""

    def test_zeros(self) -> None:
        """Zeros at the left of a signature mean nothing, there or not."""
        private = rsa.generate_private_key(65537, 1024)
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        der = private.public_key().public_bytes(*form)
        key = read_key(b"v=DKIM1; p=" + base64.b64encode(der))
        self.assertEqual((1024, None), (key.bits, key.unusable))
        signature = b"\1"
        number = 0
        while signature[0]:
            number += 1
            data = b"%d" % number
            signature = private.sign(data, padding.PKCS1v15(), SHA256())
        for written in (signature, signature.lstrip(b"\0"), b"\0\0" + signature):
            self.assertTrue(key.matches(data, written))
            self.assertFalse(key.matches(data + b"x", written))
        for wrong in (b"", b"\0", signature + b"\0", b"\1" + signature):
            self.assertFalse(key.matches(data, wrong))

    def test_no_key(self) -> None:
        """An exponent that encrypts nothing makes no key."""
        for exponent in (0, 1, 2, 65536):
            key = read_key(record((1 << 2048) - 1, exponent).encode())
            self.assertEqual("permerror", (key.unusable or ("",))[0])
