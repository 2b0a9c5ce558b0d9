"""
What a certificate says: its key, and whose it is.

Standards: RFC 5280 §4.1, RFC 9525 §6.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

#: Tags of DER that are met on the way to the key.
_SEQUENCE, _VERSION = 0x30, 0xA0

#: What stands before the key when the version is not counted: the serial
#: number, the algorithm, the issuer, the validity and the subject.
_BEFORE_KEY = 5

#: What reading a certificate may raise, that OpenSSL has nothing against.
_UNREADABLE = (
    ValueError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def public_key(certificate: bytes) -> bytes:
    """
    The SubjectPublicKeyInfo of a certificate, octet by octet as it is there.

    @param certificate: DER.
    @raise ValueError: it is none.
    """
    _, outer, _ = _element(certificate)
    _, inside, _ = _element(outer)
    tag, _, after = _element(inside)
    if tag == _VERSION:
        inside = after
    for _ in range(_BEFORE_KEY):
        _, _, inside = _element(inside)
    tag, _, after = _element(inside)
    if tag != _SEQUENCE:
        raise ValueError("there is no key in it")
    return inside[: len(inside) - len(after)]


def _element(octets: bytes) -> tuple[int, bytes, bytes]:
    """The first element: its tag, its content, and what is behind it."""
    if len(octets) < 2:
        raise ValueError("it is cut")
    tag, length, start = octets[0], octets[1], 2
    if length >= 0x80:
        start += length & 0x7F
        length = int.from_bytes(octets[2:start], "big")
    end = start + length
    if end > len(octets):
        raise ValueError("it is cut")
    return tag, octets[start:end], octets[end:]


def named(certificate: bytes, names: Iterable[str]) -> bool:
    """
    Whether a certificate is for one of these names, or addresses.

    Only the alternative names count (RFC 9525 §6.1).

    @param certificate: DER.
    """
    wanted = {name.lower().rstrip(".") for name in names}
    try:
        found = x509.load_der_x509_certificate(certificate)
        extension = found.extensions.get_extension_for_oid(
            ExtensionOID.SUBJECT_ALTERNATIVE_NAME
        )
    except (*_UNREADABLE, x509.ExtensionNotFound):
        return False
    given = extension.value
    assert isinstance(given, x509.SubjectAlternativeName)
    addresses = {str(a) for a in given.get_values_for_type(x509.IPAddress)}
    if any(_address(name) in addresses for name in wanted):
        return True
    patterns = [p.lower() for p in given.get_values_for_type(x509.DNSName)]
    return any(fits(p, name) for p in patterns for name in wanted)


def fits(pattern: str, name: str) -> bool:
    """
    Whether a name is meant by a pattern; both are lower case.

    RFC 9525 §6.3: an asterisk is the whole of the first label, and stands for
    one label.
    """
    if not pattern.startswith("*."):
        return pattern == name
    first, _, rest = name.partition(".")
    return bool(first) and "." in rest and rest == pattern[2:]


def _address(name: str) -> str:
    try:
        return str(ip_address(name))
    except ValueError:
        return ""


def valid_now(certificate: bytes) -> bool:
    """
    Whether a certificate has begun and not ended (RFC 5280 §4.1.2.5).

    @param certificate: DER.
    """
    try:
        found = x509.load_der_x509_certificate(certificate)
        begin, end = found.not_valid_before_utc, found.not_valid_after_utc
    except _UNREADABLE:
        return False
    return begin <= datetime.now(UTC) <= end


def for_servers(certificates: Iterable[bytes]) -> bool:
    """
    Whether all of them may be used by TLS servers (RFC 5280 §4.2.1.12).

    @param certificates: DER.
    """
    try:
        return all(map(_for_servers, certificates))
    except _UNREADABLE:
        return False


def _for_servers(certificate: bytes) -> bool:
    uses = list(_uses(x509.load_der_x509_certificate(certificate)))
    server, anything = (
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    )
    return not uses or server in uses or anything in uses


def _uses(certificate: x509.Certificate) -> Iterator[x509.ObjectIdentifier]:
    try:
        found = certificate.extensions.get_extension_for_oid(
            ExtensionOID.EXTENDED_KEY_USAGE
        )
    except x509.ExtensionNotFound:
        return
    assert isinstance(found.value, x509.ExtendedKeyUsage)
    yield from found.value
