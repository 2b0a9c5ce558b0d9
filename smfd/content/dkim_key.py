"""
Keys to sign with: made, written down, read.

Standards: RFC 6376 §3.6.1 (the record), RFC 8463 §4 (Ed25519), RFC 8301 §3.2
(1024 to 4096 bits).
"""

import binascii
from base64 import b64decode, b64encode
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from smfd.model.dkim import ALGORITHMS, NewKey

#: RFC 8301 §3.2: longer ones do not fit into a DNS answer that is not cut.
BITS = 2048

#: RFC 8301 §3.2: what others must be able to check, and need not.
FEWEST, MOST = 1024, 4096

#: What files begin with that have another key than is wanted, and what to do.
_OTHERS = {
    "PUBLIC KEY": "This is the public half; the file of the private one is wanted.",
    "CERTIFICATE": "This is a certificate; the file of the private key is wanted.",
    "OPENSSH": "This is a key of OpenSSH: ssh-keygen -p -m PEM -f FILE makes it PEM.",
    "ENCRYPTED": "It is encrypted: openssl pkey -in FILE -out OTHER makes it plain.",
}


def make_key(algorithm: str) -> NewKey:
    """
    A new key; takes some 50 ms if it is RSA.

    @param algorithm: one of L{ALGORITHMS}.
    """
    private: Any
    if algorithm == "rsa":
        private = rsa.generate_private_key(65537, BITS)
    else:
        private = ed25519.Ed25519PrivateKey.generate()
    return _new(private)


def make_keys() -> tuple[NewKey, ...]:
    """One of each algorithm."""
    return tuple(map(make_key, ALGORITHMS))


class NoKey(ValueError):
    """It is no key to sign with; says why, and what to do."""


def read_key(text: str) -> NewKey:
    """
    A key that was made elsewhere: PEM, PKCS #1 or PKCS #8; of Ed25519 also the
    octets in base64, as rspamd and dkimpy write them.

    @raise NoKey: it is none, or none that others would believe.
    """
    for word, todo in _OTHERS.items():
        if word in text:
            raise NoKey(todo)
    private = _plain(text) or _pem(text)
    if isinstance(private, rsa.RSAPrivateKey):
        bits = private.key_size
        if bits < FEWEST:
            todo = "make another: dkim add, dkim rotate"
            raise NoKey(f"It has {bits} bits, which nobody believes; {todo}.")
        if bits > MOST:
            raise NoKey(f"It has {bits} bits, and many read {MOST} at most.")
    elif not isinstance(private, ed25519.Ed25519PrivateKey):
        raise NoKey("DKIM has RSA and Ed25519 keys; this is another kind.")
    return _new(private)


def _pem(text: str) -> Any:
    try:
        return load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What the library says may have some of the key in it.
        raise NoKey("It is no private key in PEM, or a damaged one.") from None


def _plain(text: str) -> Any:
    """The octets of Ed25519, alone or with the public half behind; or None."""
    try:
        octets = b64decode((text.split() or [""])[0], validate=True)
    except (ValueError, binascii.Error):
        return None
    if len(octets) not in (32, 64):
        return None
    private = ed25519.Ed25519PrivateKey.from_private_bytes(octets[:32])
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    if octets[32:] not in (b"", public):
        raise NoKey("Its halves do not belong together.")
    return private


def load_key(private: str) -> Any:
    """What L{make_key} wrote, ready to sign."""
    # It was a good key when we made it; to prove that again takes longer than
    # a hundred signatures.
    return load_pem_private_key(
        private.encode("ascii"), None, unsafe_skip_rsa_key_validation=True
    )


def _new(private: Any) -> NewKey:
    algorithm = "rsa" if isinstance(private, rsa.RSAPrivateKey) else "ed25519"
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    weak = algorithm == "rsa" and private.key_size < BITS
    return NewKey(algorithm, pem.decode("ascii"), _record(algorithm, private), weak)


def _record(algorithm: str, private: Any) -> str:
    public = private.public_key()
    if algorithm == "rsa":
        form = PublicFormat.SubjectPublicKeyInfo
        octets = public.public_bytes(Encoding.DER, form)
    else:
        # RFC 8463 §4.1: the key alone.
        octets = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"v=DKIM1; k={algorithm}; p={b64encode(octets).decode('ascii')}"
