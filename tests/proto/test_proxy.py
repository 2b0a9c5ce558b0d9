"""Tests of smfd.proto.proxy and smfd.proto.peer: whose connection it is."""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.proto.peer import plain_address
from smfd.proto.proxy import (
    SIGNATURE,
    Header,
    NotProxied,
    Source,
    read_header,
)

PORTS = st.integers(0, 65535)


def version_2(
    payload: bytes, family: int = 0x11, command: int = 0x21, size: int | None = None
) -> bytes:
    """A binary header."""
    length = len(payload) if size is None else size
    return SIGNATURE + struct.pack("!BBH", command, family, length) + payload


def addresses(source: str, port: int) -> bytes:
    """The addresses of a binary header."""
    octets = ip_address(source).packed
    return octets + octets + struct.pack("!HH", port, 25)


class LineTests(SynchronousTestCase):
    """Version 1, a line of text."""

    def test_read(self) -> None:
        """The client's address and port, IPv4 and IPv6, in one form."""
        for line, source in {
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 25": Source("192.0.2.7", 4711),
            b"PROXY TCP6 2001:DB8:0::7 2001:db8::1 1 25": Source("2001:db8::7", 1),
            b"PROXY TCP6 ::ffff:192.0.2.7 ::1 65535 25": Source("192.0.2.7", 65535),
            b"PROXY UNKNOWN": Source(),
            b"PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535": Source(),
        }.items():
            octets = line + b"\r\nEHLO x\r\n"
            self.assertEqual(Header(source, len(line) + 2), read_header(octets))

    def test_wrong(self) -> None:
        """What is no such line is none, and it is said why."""
        for line in (
            *(b"EHLO x", b"PROXZ TCP4 ", b"proxy TCP4 1.1.1.1 1.1.1.1 1 1", b"PROXY"),
            *(b"PROXY TCP4 1.1.1.1 1.1.1.1 1", b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 "),
            *(b"PROXY TCP4 ::1 ::1 1 1", b"PROXY TCP6 1.1.1.1 1.1.1.1 1 1"),
            *(b"PROXY TCP4 1.1.1.1 1.1.1.1 65536 1", b"PROXY UNKNOWNX"),
            *(b"PROXY TCP4 1.1.1.1 1.1.1.1 01 1", b"PROXY TCP4  1.1.1.1 1.1.1.1 1 1"),
            *(b"PROXY TCP4 1.1.1.256 1.1.1.1 1 1", b"PROXY TCP5 1.1.1.1 1.1.1.1 1 1"),
            *(b"PROXY TCP4 1.1.1.1 \xff 1 1", b"PROXY TCP4 1.1.1.1\n1.1.1.1 1 1"),
            *(b"PROXY UNKNOWN " + b"x" * 100, b"\x16\x03\x01", b"PROXY TCP4 1.1.1.1\r"),
        ):
            self.assertRaises(NotProxied, read_header, line + b"\r\n")

    def test_endless(self) -> None:
        """A line that does not end after 107 octets is none."""
        self.assertIsNone(read_header(b"PROXY UNKNOWN " + b"x" * 92))
        with self.assertRaises(NotProxied):
            read_header(b"PROXY UNKNOWN " + b"x" * 93)


class BinaryTests(SynchronousTestCase):
    """Version 2."""

    def test_read(self) -> None:
        """Addresses are read, what follows them in the header is passed over."""
        for source, family in (("192.0.2.7", 0x11), ("2001:db8::7", 0x21)):
            for more in (b"", b"\x04\0\x01x", b"\xff" * 500):
                octets = version_2(addresses(source, 99) + more, family)
                found = read_header(octets + b"EHLO")
                self.assertEqual(Header(Source(source, 99), len(octets)), found)

    def test_nobody(self) -> None:
        """A health check, and what is not TCP, name nobody."""
        for octets in (
            version_2(b"", 0, 0x20),
            version_2(b"\0" * 50, 0x11, 0x20),
            version_2(b"", 0, 0x21),
            version_2(addresses("192.0.2.7", 1), 0x12),
            version_2(b"/run/x" * 36, 0x31),
        ):
            self.assertEqual(Header(Source(), len(octets)), read_header(octets))

    def test_wrong(self) -> None:
        """Other versions, other commands, too short, too long."""
        for octets in (
            version_2(addresses("192.0.2.7", 1), command=0x11),
            version_2(addresses("192.0.2.7", 1), command=0x22),
            version_2(addresses("192.0.2.7", 1)[:-1]),
            version_2(addresses("192.0.2.7", 1), 0x21),
            version_2(b"", size=2049),
            SIGNATURE[:-1] + b"\0" * 40,
            b"\r\nEHLO x\r\n",
        ):
            self.assertRaises(NotProxied, read_header, octets)


class AnyTests(SynchronousTestCase):
    """Whatever comes, and however it is cut."""

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=300) | st.binary(max_size=300).map(SIGNATURE.__add__))
    def test_anything(self, octets: bytes) -> None:
        """Any octets are a header, the begin of one, or none: nothing breaks."""
        try:
            found = read_header(octets)
        except NotProxied:
            return
        if found is not None:
            self.assertLessEqual(found.size, len(octets))

    @settings(max_examples=200, deadline=None)
    @given(st.ip_addresses(), PORTS, st.booleans(), st.binary(max_size=40))
    def test_round(
        self,
        client: IPv4Address | IPv6Address,
        port: int,
        text: bool,
        rest: bytes,
    ) -> None:
        """Every address comes back; until the last octet, more is asked for."""
        if text:
            line = f"PROXY TCP{client.version} {client} {client} {port} 25\r\n"
            octets = line.encode()
        else:
            family = 0x11 if client.version == 4 else 0x21
            octets = version_2(addresses(str(client), port) + rest, family)
        for cut in range(len(octets)):
            self.assertIsNone(read_header(octets[:cut]))
        source = Source(plain_address(str(client)), port)
        self.assertEqual(Header(source, len(octets)), read_header(octets + rest))


class PeerTests(SynchronousTestCase):
    """One client has one address."""

    def test_forms(self) -> None:
        """IPv4 in IPv6, long forms and zones are one and the same."""
        for host, plain in {
            "192.0.2.1": "192.0.2.1",
            "::ffff:192.0.2.1": "192.0.2.1",
            "::FFFF:c000:201": "192.0.2.1",
            "2001:DB8:0:0:0:0:0:1": "2001:db8::1",
            "fe80::1%eth0": "fe80::1",
            "": "",
            "no:address": "no:address",
        }.items():
            self.assertEqual(plain, plain_address(host))
