"""
Keys to sign with: made, written down, read.

Standards: RFC 6376 §3.6.1 (the record), RFC 8463 §4 (Ed25519), RFC 8301 §3.2
(2048 bits).
"""

from base64 import b64encode
from typing import Any

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
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return NewKey(algorithm, pem.decode("ascii"), _record(algorithm, private))


def make_keys() -> tuple[NewKey, ...]:
    """One of each algorithm."""
    return tuple(map(make_key, ALGORITHMS))


def load_key(private: str) -> Any:
    """What L{make_key} wrote, ready to sign."""
    # It was a good key when we made it; to prove that again takes longer than
    # a hundred signatures.
    return load_pem_private_key(
        private.encode("ascii"), None, unsafe_skip_rsa_key_validation=True
    )


def _record(algorithm: str, private: Any) -> str:
    public = private.public_key()
    if algorithm == "rsa":
        form = PublicFormat.SubjectPublicKeyInfo
        octets = public.public_bytes(Encoding.DER, form)
    else:
        # RFC 8463 §4.1: the key alone.
        octets = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"v=DKIM1; k={algorithm}; p={b64encode(octets).decode('ascii')}"
