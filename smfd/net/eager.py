"""
TCP connections that send at once what can be sent.

Twisted's own wait for the next turn of the reactor with every write, and ask
the kernel twice for it.  A mail session is a score of short replies to a client
that waits for each: sending at once saved a fifth of the whole time.
"""

import socket

from twisted.internet.tcp import Port, Server


class EagerServer(Server):
    """A server's connection; what the kernel does not take now, waits."""

    def write(self, data: bytes) -> None:
        """Send, or keep in order behind what waits already."""
        idle = self.connected and not (
            self.TLS or self.disconnecting or self._tempDataLen or self.dataBuffer
        )
        if idle and data:
            sent = self.writeSomeData(data)
            # A connection that is lost is noticed by the reactor, not here.
            if isinstance(sent, int):
                data = data[sent:]
        if data:
            super().write(data)


class EagerPort(Port):
    """
    Accepts L{EagerServer} connections.

    An IPv6 address is only that: C{[::]:25} stands beside C{0.0.0.0:25}.
    """

    transport = EagerServer

    def createInternetSocket(self) -> socket.socket:
        """A socket of one family."""
        made: socket.socket = super().createInternetSocket()
        if self.addressFamily == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return made
