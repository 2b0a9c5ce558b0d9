"""
TLS with a next hop, and how it proves to be the one that is meant.

The handshake comes first and the proof behind it, before anything is said: a
certificate that proves nothing hears no EHLO.

Standards: RFC 8446, RFC 3207, RFC 8996, RFC 7672, RFC 8461.
"""

from contextlib import suppress
from pathlib import Path
from time import monotonic

from attrs import frozen
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, X509, dump_certificate
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from smfd.model.hop import NextHop
from smfd.net.smtp_client import Trouble
from smfd.policy.certificate import named
from smfd.policy.dane import proves

#: Certificates of a chain that are looked at; OpenSSL reads 100 KB of them.
LONGEST_CHAIN = 10

#: Seconds for which authorities that were read are believed.
DAY = 86_400.0

#: Who must be signed by an authority that we believe.
_SIGNED = ("verify", "sts")

#: RFC 8460 §4.3, by OpenSSL's number of what was wrong.
_FAULTS = {
    9: "certificate-expired",
    10: "certificate-expired",
    18: "certificate-not-trusted",
    19: "certificate-not-trusted",
    20: "certificate-not-trusted",
    21: "certificate-not-trusted",
}

_MISMATCH = "certificate-host-mismatch"

_WORDS = {
    "certificate-expired": "its certificate is not valid now",
    "certificate-not-trusted": "nobody we believe has signed its certificate",
    _MISMATCH: "its certificate is for another name",
    "validation-failure": "its certificate proves nothing",
}


class NotSafe(Trouble):
    """The other server cannot be spoken to as safely as it must be."""


@frozen
class Proof:
    """
    What a handshake came to.

    @ivar version: "TLSv1.3"; "" where there is no TLS.
    @ivar fault: what was wrong, as RFC 8460 §4.3 calls it, or "".
    @ivar why: the same for people.
    @ivar good: it may be gone on, for what was wanted is so.
    """

    version: str = ""
    fault: str = ""
    why: str = ""
    good: bool = True


#: There is no way into TLS.
NOT_OFFERED = Proof(
    fault="starttls-not-supported", why="it does not offer TLS", good=False
)


class Contexts:
    """What handshakes have in common."""

    _log = Logger()

    def __init__(self, trusted: Path | None = None) -> None:
        """
        @param trusted: PEM: the authorities that we believe; None takes those
            of the system.
        """
        self._trusted = trusted
        self._anyone: SSL.Context | None = None
        self._signed: SSL.Context | None = None
        self._read = 0.0

    def handshake(self, hop: NextHop) -> "Handshake":
        """
        What C{startTLS} is given, for one connection.

        @raise Trouble: whom to believe is not known.
        """
        if hop.tls in _SIGNED:
            return Handshake(hop, self._believed())
        if hop.watched:
            with suppress(Trouble):
                return Handshake(hop, self._believed())
        if self._anyone is None:
            self._anyone = _context()
        return Handshake(hop, self._anyone)

    def _believed(self) -> SSL.Context:
        """Authorities come and go: they are read again each day."""
        now = monotonic()
        if self._signed is None or now - self._read > DAY:
            self._read = now
            try:
                self._signed = self._believing(_context())
            except SSL.Error:
                self._log.error("{path} has no authorities", path=str(self._trusted))
        if self._signed is None:
            raise NotSafe(f"whom to believe cannot be read: {self._trusted}")
        return self._signed

    def _believing(self, context: SSL.Context) -> SSL.Context:
        if self._trusted is None:
            context.set_default_verify_paths()
        else:
            context.load_verify_locations(str(self._trusted))
        return context


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    # RFC 8996 §4 and §5.
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # The other side says how large the numbers of DHE are: at 10,000 bits, which
    # OpenSSL takes, a handshake is 0.7 s of work for us.
    context.set_cipher_list(b"DEFAULT:!kDHE:!PSK:!SRP")
    # A session that was resumed would show no certificate.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context


@implementer(IOpenSSLClientConnectionCreator)
class Handshake:
    """One handshake; what the other side proved by it."""

    def __init__(self, hop: NextHop, context: SSL.Context) -> None:
        self._hop = hop
        self._context = context
        self._connection: SSL.Connection | None = None
        self._names = hop.names or (hop.host,)
        self._seen = False
        self._signed = hop.tls in _SIGNED
        self._must = self._signed or hop.tls == "dane"
        self._fault = ""

    def clientConnectionForTLS(
        self, tlsProtocol: TLSMemoryBIOProtocol
    ) -> SSL.Connection:
        """A connection that asks for the name that is to be proven."""
        host = self._names[0]
        connection = self._connection = SSL.Connection(self._context, None)
        if host and not isIPAddress(host) and not isIPv6Address(host):
            # RFC 7672 §8.1, RFC 8461 §7.1: it may have several certificates.
            connection.set_tlsext_host_name(host.encode("idna"))
        if self._signed or self._hop.watched:
            connection.set_verify(SSL.VERIFY_PEER, self._verified)
        return connection

    def _verified(
        self, connection: SSL.Connection, found: X509, errno: int, depth: int, ok: int
    ) -> bool:
        """What OpenSSL asks of each certificate, the server's own last."""
        fault = "" if ok else _FAULTS.get(errno, "validation-failure")
        if ok and depth == 0:
            self._seen = True
            fault = "" if named(_der(found), self._names) else _MISMATCH
        self._fault = self._fault or fault
        return not fault or not self._signed

    def proof(self) -> Proof:
        """What came of it, when both sides speak TLS."""
        assert self._connection is not None
        version = self._connection.get_protocol_version_name()
        fault = self._fault or self._checked()
        good = not fault or not self._must
        return Proof(version, fault, _WORDS.get(fault, fault), good)

    def failed(self, why: str) -> Proof:
        """What came of it, when it came to no end."""
        fault = self._fault or "validation-failure"
        return Proof("", fault, _WORDS.get(self._fault, why), False)

    def _checked(self) -> str:
        """What is wrong with a certificate that OpenSSL has nothing against."""
        if self._hop.tls == "dane":
            return proves(self._hop.tlsa, self._chain(), self._names)
        asked = self._signed or self._hop.watched
        return "validation-failure" if asked and not self._seen else ""

    def _chain(self) -> list[bytes]:
        """The certificates, DER; none when there are too many."""
        found = self._connection.get_peer_cert_chain() if self._connection else None
        if not found or len(found) > LONGEST_CHAIN:
            return []
        return [_der(cert) for cert in found]


def _der(certificate: X509) -> bytes:
    return dump_certificate(FILETYPE_ASN1, certificate)
