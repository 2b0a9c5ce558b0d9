"""
A name server on loopback whose zone is a literal in the test.

    port, stop = await start_dns({"example.org": {"MX": ["10 mx.example.org"]}})

A word of L{FAULTS} in place of a name's records, or of a type's values, breaks
the answer in that way.  What does not fit a datagram is cut and comes by TCP.
It reads and writes with twisted.names, not with the library under test.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.names import dns
from twisted.protocols.basic import Int16StringReceiver

#: silent: no answer at all.  servfail, refused: that code.  wrong-id,
#: wrong-question: an answer to something else, and no other.  garbage: no DNS.
#: half: cut over UDP, and TCP closes in the middle.
FAULTS = (
    "silent",
    "servfail",
    "refused",
    "wrong-id",
    "wrong-question",
    "garbage",
    "half",
)

Zone = Mapping[str, "Mapping[str, Sequence[Any] | str] | str"]
Stop = Callable[[], "Deferred[Any]"]

_DATAGRAM = 1232
_CODES = {"servfail": dns.ESERVER, "refused": dns.EREFUSED}


class NameServer:
    """
    Serves one zone over UDP and TCP.

    @ivar port: where, on 127.0.0.1.
    @ivar asked: (name, type) of every query, as it came.
    @ivar ttl: of all records.
    """

    def __init__(self, zone: Zone, ttl: int = 60) -> None:
        self.zone: dict[str, Any] = {k.lower(): v for k, v in zone.items()}
        self.ttl = ttl
        self.port = 0
        self.asked: list[tuple[str, str]] = []
        self.connections: set[Any] = set()
        self._ports: list[Any] = []

    def start(self, reactor: Any, port: int = 0) -> None:
        """Listen on a free port, the same for both."""
        factory = Factory.forProtocol(_Stream)
        factory.server = self  # type: ignore[attr-defined]
        factory.noisy = False
        for attempt in range(20):
            tcp = reactor.listenTCP(port, factory, interface="127.0.0.1")
            self.port = tcp.getHost().port
            try:
                udp = reactor.listenUDP(
                    self.port, _Datagrams(self), "127.0.0.1", maxPacketSize=8192
                )
            except CannotListenError:
                tcp.stopListening()
                if attempt == 19:
                    raise
            else:
                self._ports = [tcp, udp]
                return

    def stop(self) -> "Deferred[Any]":
        """Listen no more, and hang up."""
        for connection in list(self.connections):
            connection.transport.abortConnection()
        ports, self._ports = self._ports, []
        return gatherResults([maybeDeferred(p.stopListening) for p in ports])

    def answer(self, wire: bytes, most: int) -> tuple[str, bytes]:
        """
        The fault to act out, and the answer.

        @param most: octets that fit.
        """
        message = dns.Message()
        message.fromStr(wire)
        query = message.queries[0]
        name = query.name.name.decode("ascii", "replace").lower()
        rdtype = dns.QUERY_TYPES.get(query.type, str(query.type))
        self.asked.append((name, rdtype))
        found = self.zone.get(name)
        values = found.get(rdtype) if isinstance(found, dict) else found
        fault = values if isinstance(values, str) else ""
        reply = dns.Message(message.id, answer=1, recDes=1, recAv=1, maxSize=0)
        reply.queries = [query]
        if fault in _CODES:
            reply.rCode = _CODES[fault]
        elif not fault:
            self._fill(reply, name, rdtype)
        _twist(reply, fault)
        text = reply.toStr()
        if len(text) > most or (fault == "half" and most == _DATAGRAM):
            reply.answers, reply.trunc = [], 1
            text = reply.toStr()
        return fault, (b"\0not a message" if fault == "garbage" else text)

    def _fill(self, reply: dns.Message, name: str, rdtype: str) -> None:
        for _ in range(8):
            found = self.zone.get(name)
            if found is None:
                reply.rCode = dns.ENAME
            records = found if isinstance(found, dict) else {}
            wanted = records.get(rdtype, ())
            chain = () if wanted or rdtype == "CNAME" else records.get("CNAME", ())
            for value in wanted:
                self._add(reply, name, rdtype, value)
            for value in chain:
                self._add(reply, name, "CNAME", value)
            if not chain:
                break
            name = chain[0].lower()
        if not any(dns.QUERY_TYPES.get(r.type) == rdtype for r in reply.answers):
            soa = dns.Record_SOA(b"ns.test", b"root.test", 1, 1, 1, 1, self.ttl)
            reply.authority.append(
                dns.RRHeader(b"", dns.SOA, ttl=self.ttl, payload=soa)
            )

    def _add(self, reply: dns.Message, name: str, rdtype: str, value: Any) -> None:
        record = _record(rdtype, value)
        reply.answers.append(
            dns.RRHeader(name.encode(), record.TYPE, ttl=self.ttl, payload=record)
        )


def _twist(reply: dns.Message, fault: str) -> None:
    if fault == "wrong-id":
        reply.id ^= 0x5555
    elif fault == "wrong-question":
        reply.queries = [dns.Query(b"other.test", dns.A)]


def _record(rdtype: str, value: Any) -> Any:
    if rdtype == "TXT":
        strings = value if isinstance(value, list | tuple) else _strings(value)
        return dns.Record_TXT(*strings)
    if rdtype == "MX":
        preference, host = value.split()
        return dns.Record_MX(int(preference), host.rstrip(".").encode())
    if rdtype in {"A", "AAAA"}:
        return getattr(dns, "Record_" + rdtype)(value)
    return getattr(dns, "Record_" + rdtype)(value.rstrip(".").encode())


def _strings(value: str | bytes) -> list[bytes]:
    text = value.encode() if isinstance(value, str) else value
    return [text[n : n + 255] for n in range(0, len(text), 255)] or [b""]


class _Datagrams(DatagramProtocol):
    noisy = False

    def __init__(self, server: NameServer) -> None:
        self._server = server

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        fault, text = self._server.answer(datagram, _DATAGRAM)
        if fault != "silent":
            transport: Any = self.transport
            transport.write(text, addr)


class _Stream(Int16StringReceiver):
    def connectionMade(self) -> None:
        self.factory.server.connections.add(self)

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.server.connections.discard(self)

    def stringReceived(self, string: bytes) -> None:
        server = self.factory.server
        fault, text = server.answer(string, 65535)
        if fault == "half":
            transport: Any = self.transport
            transport.write(len(text).to_bytes(2, "big") + text[:10])
            transport.loseConnection()
        elif fault != "silent":
            self.sendString(text)


def start_dns(zone: Zone) -> "Deferred[tuple[int, Stop]]":
    """Serve a zone on 127.0.0.1; fires with the port and how to stop it."""
    from twisted.internet import reactor

    server = NameServer(zone)
    server.start(reactor)
    return succeed((server.port, server.stop))
