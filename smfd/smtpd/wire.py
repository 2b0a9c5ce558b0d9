"""
The way to the client and back: replies joined, reading stopped, hung up.

Standards: RFC 5321 §4.1.1.10, RFC 2920 §3.2.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer, ISSLTransport, ITCPTransport
from zope.interface import implementer

from smfd.net.tls import client_certificate
from smfd.proto.peer import plain_address

#: Octets of replies that are gathered before they are written.
_GATHERED = 1024


@implementer(IPushProducer)
class Wire:
    """
    A transport, and how full it is.

    @ivar blocked: the client does not take what we write: write no more.
    @ivar paused: nothing is read for now.
    """

    __slots__ = ("blocked", "paused", "_transport", "_on", "_out", "_gone")

    def __init__(self, transport: Any, on: Callable[[], None]) -> None:
        """
        @param on: called when the client takes what we write again.
        """
        self.blocked = self.paused = False
        self._transport = transport
        self._on = on
        self._out = b""
        self._gone = False
        transport.registerProducer(self, True)
        if self.secure and ITCPTransport.providedBy(transport):
            # Session tickets go out first, and the greeting must not wait until
            # the client's kernel, in no hurry, has acknowledged them.
            transport.setTcpNoDelay(True)

    def peer(self) -> tuple[str, int]:
        """The client's address, in its one form, and port; "" by a UNIX socket."""
        peer = self._transport.getPeer()
        return plain_address(getattr(peer, "host", "")), getattr(peer, "port", 0)

    @property
    def secure(self) -> bool:
        """Whether TLS is on, or begins."""
        return bool(ISSLTransport.providedBy(self._transport))

    def tls(self) -> str:
        """Protocol and cipher, once the handshake is done."""
        handle = self._transport.getHandle()
        return f"{handle.get_protocol_version_name()} {handle.get_cipher_name()}"

    def certificate(self) -> str:
        """The client's, if he showed one; see L{client_certificate}."""
        return client_certificate(self._transport.getHandle())

    def write(self, octets: bytes) -> None:
        """Write with the next L{flush}."""
        self._out += octets
        if len(self._out) > _GATHERED:
            self.flush()

    def flush(self) -> None:
        """Write all in one go."""
        out = self._out
        if out and not self._gone:
            self._out = b""
            self._transport.write(out)

    def read(self, go_on: bool) -> None:
        """Read, or leave it with the client for now."""
        if go_on is self.paused and not self._gone:
            self.paused = not go_on
            if go_on:
                self._transport.resumeProducing()
            else:
                self._transport.pauseProducing()

    def start_tls(self, tls: object) -> None:
        """Everything after this is TLS."""
        self.flush()
        self._transport.startTLS(tls)

    def hang_up(self, polite: bool) -> None:
        """
        Write the rest and close.

        @param polite: the client expects it and sends nothing more.
        """
        self.flush()
        self.read(True)
        self._transport.unregisterProducer()
        self.blocked = False
        if polite or self.secure or not ITCPTransport.providedBy(self._transport):
            self._transport.loseConnection()
        else:
            # To close with octets unread would reset the connection, and the
            # client would not learn why.  TLS has an end of its own.
            self._transport.loseWriteConnection()

    def abort(self) -> None:
        """Close at once."""
        if not self._gone:
            self._transport.abortConnection()

    def lost(self) -> None:
        """There is no connection any more."""
        self._gone = True
        self._on = _nothing
        self._out = b""

    def pauseProducing(self) -> None:
        """The client does not take our replies."""
        self.blocked = True

    def resumeProducing(self) -> None:
        """He takes them again."""
        self.blocked = False
        self._on()

    def stopProducing(self) -> None:
        """The transport goes; C{connectionLost} follows."""


def _nothing() -> None:
    """Nobody waits any more."""
