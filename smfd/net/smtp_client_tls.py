"""
TLS with a next hop, as its policy has it.

Standards: RFC 8446, RFC 3207, RFC 8996.
"""

from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from smfd.model.hop import NextHop


@implementer(IOpenSSLClientConnectionCreator)
class Encrypted:
    """
    TLS with whoever is there: nobody can listen, but who it is stays open.
    """

    def __init__(self, host: str) -> None:
        """
        @param host: the name to ask for (SNI); an address is not sent.
        """
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_2_VERSION)
        self._context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        literal = isIPAddress(host) or isIPv6Address(host)
        self._name = b"" if literal else host.encode("idna")

    def clientConnectionForTLS(
        self, tlsProtocol: TLSMemoryBIOProtocol
    ) -> SSL.Connection:
        """A connection that asks for the name."""
        connection = SSL.Connection(self._context, None)
        if self._name:
            connection.set_tlsext_host_name(self._name)
        return connection


def hop_tls(hop: NextHop, trusted: Path | None = None) -> Any:
    """
    What C{startTLS} is given.

    @param trusted: PEM: the authorities that "verify" believes; None takes
        those of the system.
    """
    if hop.tls != "verify":
        return Encrypted(hop.host)
    root = None
    if trusted is not None:
        root = trustRootFromCertificates([Certificate.loadPEM(trusted.read_bytes())])
    return optionsForClientTLS(hop.host, trustRoot=root)
