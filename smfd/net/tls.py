"""
TLS for our doors: the certificate, and how we speak.

Standards: RFC 8446, RFC 3207, RFC 7672 §2 (names are not checked here),
RFC 8996 (nothing older than TLS 1.2).
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

#: For TLS 1.2; TLS 1.3 has good ones only.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"

_OPTIONS = (
    SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE
)

#: SSL_MODE_RELEASE_BUFFERS: an idle connection holds no record buffers.
_RELEASE_BUFFERS = 0x10

#: A self-signed certificate names nobody else; it need not be renewed often.
_SELF_SIGNED_DAYS = 3650


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """
    What C{startTLS} is given, for all connections.

    The certificate can be replaced while connections are open: they keep what
    they began with.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """
        Read both files.

        @param certificate: PEM: our own first, then the chain.
        @param key: PEM, without a password.
        """
        self._certificate = certificate
        self._key = key
        self._context = _context(certificate, key)

    def reload(self) -> None:
        """
        Read the files again.

        When they cannot be used this raises, and the old ones stay.
        """
        self._context = _context(self._certificate, self._key)

    def serverConnectionForTLS(
        self, tlsProtocol: TLSMemoryBIOProtocol
    ) -> SSL.Connection:
        """A connection with what was read last."""
        return SSL.Connection(self._context, None)


def make_self_signed(hostname: str) -> tuple[bytes, bytes]:
    """
    Make a certificate for a host that has none yet: ECDSA on P-256.

    @return: certificate and key, PEM.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    # RFC 5280 ub-common-name: 64; the whole name is in subjectAltName.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    begin = datetime.now(UTC) - timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=_SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .sign(key, SHA256())
    )
    return (
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def explained(trouble: Exception) -> str:
    """What OpenSSL or the disk said of files that cannot be used, in words."""
    if isinstance(trouble, OSError):
        return f"{trouble.filename}: {trouble.strerror}"
    reasons = [reason for _, _, reason in trouble.args[0]] if trouble.args else []
    return "; ".join(dict.fromkeys(filter(None, reasons))) or str(trouble)


def _context(certificate: Path, key: Path) -> SSL.Context:
    # OpenSSL does not say which file is not there.
    for path in (certificate, key):
        path.open("rb").close()
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_mode(_RELEASE_BUFFERS)
    context.set_cipher_list(_CIPHERS)
    context.use_certificate_chain_file(str(certificate))
    context.use_privatekey_file(str(key))  # must belong to the certificate
    # RFC 5077, RFC 8446 §4.6.1: tickets keep the state at the client, and
    # spare both sides a signature.
    context.set_session_id(b"smfd")
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context
