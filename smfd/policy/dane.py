"""
What TLSA records say of a server's certificate, and whether it is so.

Standards: RFC 6698 §2.1, RFC 7671 §5, RFC 7672 §3.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from OpenSSL.crypto import (
    FILETYPE_ASN1,
    X509,
    Error,
    X509Store,
    X509StoreContext,
    X509StoreContextError,
    X509StoreFlags,
    dump_certificate,
    load_certificate,
)

from smfd.model.hop import TLSA
from smfd.policy.certificate import for_servers, named, public_key, valid_now

#: Records of a host that are read; more are no certificate's fault.
MOST = 32

#: RFC 6698 §7.2: an authority of the domain's own, and the certificate itself.
AUTHORITY, SERVER = 2, 3

#: RFC 6698 §7.3.
_WHOLE, _KEY = 0, 1

#: X509_V_FLAG_NO_CHECK_TIME, for which pyOpenSSL has no name.
_NO_CHECK_TIME = 0x200000

#: The octets of each kind of digest (RFC 6698 §7.4); the first is none.
_DIGESTS = {0: "", 1: "sha256", 2: "sha512"}
_LENGTHS = {1: 32, 2: 64}


def usable(records: Iterable[TLSA]) -> tuple[TLSA, ...]:
    """
    Those that can be used.

    RFC 7672 §3.1.3: the usages of PKIX are not among them.
    """
    return tuple(record for record in records if _usable(record))


def _usable(record: TLSA) -> bool:
    if record.usage not in (AUTHORITY, SERVER):
        return False
    if record.selector not in (_WHOLE, _KEY) or record.matching not in _DIGESTS:
        return False
    length = _LENGTHS.get(record.matching)
    return len(record.octets) == length if length else bool(record.octets)


def proves(
    records: Sequence[TLSA], chain: Sequence[bytes], names: Iterable[str]
) -> str:
    """
    What is wrong with a chain, as RFC 8460 §4.3 calls it, or nothing.

    @param records: those that are usable.
    @param chain: DER, the server's own certificate first.
    @param names: those of which that must have one, when an authority vouches
        for it.
    """
    if not chain:
        return "validation-failure"
    # RFC 7672 §3.1.1: neither names nor dates matter when it is named itself.
    if any(r.usage == SERVER and _matches(r, chain[0]) for r in records):
        return ""
    anchors = list(_anchors(records, chain))
    if not anchors:
        return "validation-failure"
    fault = _signed(chain, anchors)
    if not fault and not named(chain[0], names):
        # RFC 7672 §3.2.2: an authority may have signed for others too.
        return "certificate-host-mismatch"
    return fault


def _matches(record: TLSA, certificate: bytes) -> bool:
    try:
        octets = certificate if record.selector == _WHOLE else public_key(certificate)
    except ValueError:
        return False
    name = _DIGESTS[record.matching]
    return record.octets == (hashlib.new(name, octets).digest() if name else octets)


def _anchors(records: Iterable[TLSA], chain: Sequence[bytes]) -> Iterator[bytes]:
    """The authorities of the domain: in the chain, or whole in the DNS."""
    for record in records:
        if record.usage != AUTHORITY:
            continue
        yield from (cert for cert in chain[1:] if _matches(record, cert))
        if (record.selector, record.matching) == (_WHOLE, 0):
            # RFC 7671 §5.2.2: it need not be sent then.
            yield record.octets


def _signed(chain: Sequence[bytes], anchors: Iterable[bytes]) -> str:
    """What is wrong with the way from the certificate to an anchor, or nothing."""
    try:
        store = X509Store()
        # An anchor is where the way ends, whoever has signed it.
        store.set_flags(X509StoreFlags.PARTIAL_CHAIN | _NO_CHECK_TIME)
        for anchor in anchors:
            store.add_cert(_load(anchor))
        others = [_load(cert) for cert in chain[1:]]
        context = X509StoreContext(store, _load(chain[0]), others)
        way = [_dump(cert) for cert in context.get_verified_chain()]
    except X509StoreContextError:
        return "certificate-not-trusted"
    except Error:
        return "validation-failure"
    # RFC 5280 §6.1.1: an anchor is a name and a key, and has no dates.
    if not all(valid_now(cert) for cert in way[:-1] or way):
        return "certificate-expired"
    return "" if for_servers(way) else "certificate-not-trusted"


def _dump(certificate: X509) -> bytes:
    return dump_certificate(FILETYPE_ASN1, certificate)


def _load(certificate: bytes) -> X509:
    return load_certificate(FILETYPE_ASN1, certificate)
