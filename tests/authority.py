"""Certificates for tests: an authority, and what it signs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha512
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLContextFactory
from zope.interface import implementer

from smfd.model.hop import TLSA

PEM, DER = Encoding.PEM, Encoding.DER


@frozen
class Holder:
    """
    A certificate, its key, and whoever signed it.

    @ivar above: the one that signed it; None for one that signed itself.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: "Holder | None" = None

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(DER)

    @property
    def pem(self) -> bytes:
        """The certificate, and its key."""
        key = self.key.private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.certificate.public_bytes(PEM) + key

    def chain(self, root: bool = True) -> list["Holder"]:
        """It and those above it; with the last of them or without."""
        found = [self]
        while found[-1].above is not None:
            found.append(found[-1].above)
        return found if root or len(found) == 1 else found[:-1]

    def tlsa(self, usage: int, selector: int, matching: int) -> TLSA:
        """What the DNS would say of it."""
        public = self.key.public_key()
        spki = public.public_bytes(DER, PublicFormat.SubjectPublicKeyInfo)
        octets = spki if selector else self.der
        if matching:
            octets = (sha256 if matching == 1 else sha512)(octets).digest()
        return TLSA(usage, selector, matching, octets)

    def issue(self, *names: str, **how: Any) -> "Holder":
        """Sign one for these names."""
        return issue(names, self, **how)

    def context(self, chain: "Sequence[Holder] | None" = None) -> "Speaker":
        """What a server of Twisted's speaks TLS with."""
        return Speaker(self.chain() if chain is None else list(chain))

    def write(self, path: Path) -> Path:
        """The certificate in a file, PEM."""
        path.write_bytes(self.certificate.public_bytes(PEM))
        return path


def authority(name: str = "Test Authority", **how: Any) -> Holder:
    """One that signs, and has signed itself."""
    return issue((), None, common=name, ca=True, **how)


def issue(
    names: Sequence[str],
    above: Holder | None = None,
    common: str = "",
    ca: bool = False,
    days: tuple[float, float] = (-1, 30),
    uses: Sequence[x509.ObjectIdentifier] = (),
    more: Sequence[x509.ExtensionType] = (),
) -> Holder:
    """
    Make a certificate.

    @param above: who signs it; None for itself.
    @param days: from when until when it is good, counted from now.
    @param uses: those of the extended key usage; none leaves that out.
    @param more: further extensions.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    common = common or (names[0] if names else "nobody")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if names:
        general = [_general(name) for name in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(general), False)
    if uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    signer = above.key if above else key
    return Holder(builder.sign(signer, SHA256()), key, above)


CLIENTS_ONLY = (ExtendedKeyUsageOID.CLIENT_AUTH,)


#: Names that cryptography does not read, and OpenSSL passes over: an X.400
#: address beside C{mx.test}.
UNREADABLE = x509.UnrecognizedExtension(
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x0d\xa3\x02\x30\x00\x82\x07mx.test"
)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@implementer(IOpenSSLContextFactory)
class Speaker:
    """A context factory of Twisted's, with a chain."""

    def __init__(self, chain: Sequence[Holder], newest: int = 0) -> None:
        """
        @param chain: the server's own first.
        @param newest: the newest version it speaks; 0 for any.
        """
        context = self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        if newest:
            # Else OpenSSL itself would not go so low.
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
            context.set_min_proto_version(SSL.TLS1_VERSION)
            context.set_max_proto_version(newest)
        context.use_certificate(chain[0].certificate)
        context.use_privatekey(chain[0].key)
        for each in chain[1:]:
            context.add_extra_chain_cert(each.certificate)

    def getContext(self) -> SSL.Context:
        """As Twisted asks for it."""
        return self._context
