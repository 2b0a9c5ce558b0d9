"""What a certificate on the disk says of itself."""

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate


def key_digest(path: str) -> str:
    """
    The SHA-256 of a certificate's key, as TLSA records have it; blocks.

    RFC 7671 §5.1: a certificate that is renewed with the same key keeps it.

    @return: in hexadecimal; "" when there is no such certificate.
    """
    try:
        found = load_pem_x509_certificate(Path(path).read_bytes())
        form = PublicFormat.SubjectPublicKeyInfo
        octets = found.public_key().public_bytes(Encoding.DER, form)
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(octets).hexdigest()
