"""
TLS for our doors: the certificates, and how we speak.

Standards: RFC 8446, RFC 3207, RFC 6066 §3 (names), RFC 9525 §6.3 (wildcards),
RFC 7672 §2 (names are not checked here), RFC 8996 (nothing older than TLS 1.2).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import frozen
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

#: Characters of a client's subject that are shown.
_LONGEST_SUBJECT = 200

#: A self-signed certificate names nobody else; it need not be renewed often.
_SELF_SIGNED_DAYS = 3650


@frozen
class Pair:
    """
    A certificate and its key.

    @ivar certificate: PEM: our own first, then the chain.
    @ivar key: PEM, without a password.
    """

    certificate: Path
    key: Path


@frozen
class Clients:
    """
    Clients are asked for a certificate; none is turned away for his.

    @ivar authorities: PEM: whom we believe; None: nobody.
    """

    authorities: Path | None = None


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """
    What C{startTLS} is given, for all connections.

    The certificates can be replaced while connections are open: they keep what
    they began with.
    """

    def __init__(self, *pairs: Pair, clients: Clients | None = None) -> None:
        """
        Read all files.

        @param pairs: the first is for all names that no other is for.
        @param clients: without it, clients are not asked.
        """
        self._pairs = pairs
        self._clients = clients
        self._context = _by_name(pairs, clients)

    def reload(self) -> None:
        """
        Read the files again.

        When any of them cannot be used this raises, and all the old ones stay.
        """
        self._context = _by_name(self._pairs, self._clients)

    def serverConnectionForTLS(
        self, tlsProtocol: TLSMemoryBIOProtocol
    ) -> SSL.Connection:
        """A connection with what was read last."""
        return SSL.Connection(self._context, None)


def client_certificate(connection: SSL.Connection) -> str:
    """
    What the client showed: subject, fingerprint, and whether we believe it.

    @return: empty when he showed nothing.
    """
    certificate = connection.get_peer_certificate(as_cryptography=True)
    if certificate is None:
        return ""
    fingerprint = certificate.fingerprint(SHA256()).hex()
    believed = "verified" if connection.get_app_data() is True else "unverified"
    return f"{_subject(certificate)} sha256:{fingerprint} {believed}"


def _subject(certificate: x509.Certificate) -> str:
    try:
        text = certificate.subject.rfc4514_string()
    except ValueError:
        # It is the client's, and may be anything.
        return "?"
    return "".join(c if " " <= c <= "~" else "?" for c in text[:_LONGEST_SUBJECT])


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


def _by_name(pairs: Sequence[Pair], clients: Clients | None) -> SSL.Context:
    """The first pair's context, which leaves names to those of the others."""
    first, *others = (_context(pair, clients) for pair in pairs)
    names = {
        name: context
        for pair, context in zip(pairs[1:], others, strict=True)
        for name in certificate_names(pair.certificate)
    }

    def choose(connection: SSL.Connection) -> None:
        # RFC 6066 §3: a name we do not have is met by the first.
        asked = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        star = f"*.{asked.partition('.')[2]}"  # RFC 9525 §6.3: one label
        if context := names.get(asked) or names.get(star):
            connection.set_context(context)

    if names:
        first.set_tlsext_servername_callback(choose)
    return first


def certificate_names(path: Path) -> Sequence[str]:
    """
    The DNS names a certificate is for, in lower case.

    @raise OSError: it cannot be read.
    @raise ValueError: it is no certificate.
    """
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        known = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return ()
    return [name.lower() for name in known.value.get_values_for_type(x509.DNSName)]


def _context(pair: Pair, clients: Clients | None) -> SSL.Context:
    # OpenSSL does not say which file is not there.
    for path in (pair.certificate, pair.key):
        path.open("rb").close()
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_mode(_RELEASE_BUFFERS)
    context.set_cipher_list(_CIPHERS)
    context.use_certificate_chain_file(str(pair.certificate))
    context.use_privatekey_file(str(pair.key))  # must belong to the certificate
    # RFC 5077, RFC 8446 §4.6.1: tickets keep the state at the client, and
    # spare both sides a signature.
    context.set_session_id(b"smfd")
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if clients is not None:
        _ask(context, clients)
    return context


def _ask(context: SSL.Context, clients: Clients) -> None:
    if clients.authorities is not None:
        clients.authorities.open("rb").close()
        context.load_verify_locations(str(clients.authorities))
    # A resumed session shows no certificate again: every one is met anew.
    context.set_options(SSL.OP_NO_TICKET)
    context.set_verify(SSL.VERIFY_PEER, _noted)


def _noted(
    connection: SSL.Connection, certificate: object, error: int, depth: int, good: int
) -> bool:
    """Note whether all of the chain is good; go on in any case."""
    believed = connection.get_app_data() is not False and bool(good)
    # From the root down: whoever is last speaks for all of them.
    connection.set_app_data(believed if depth == 0 or not believed else None)
    return True
