"""
The header by which a proxy says whose connection it brings.

Version 1 is a line of text, version 2 is binary.  Whoever reads it must know
that the peer is a proxy: anybody can write one.

It is HAProxy's "The PROXY protocol, versions 1 & 2".
"""

import re
import struct
from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

from smfd.proto.peer import plain_address

#: Version 2 begins so; no mail client does.
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

#: The longest line of version 1, with its CRLF.
_LINE = 107
#: The most that may follow the first 16 octets of version 2: addresses and TLVs.
_MOST = 2048

_V1 = re.compile(rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP[46]) (\S+) (\S+) (\d+) (\d+))")
_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")

#: Version 2: octets of an address, by family and transport; TCP only.
_V2_ADDRESS = {0x11: 4, 0x21: 16}
_LOCAL, _PROXY = 0x20, 0x21


class NotProxied(ValueError):
    """These octets are no such header; the sentence says why."""


@frozen
class Source:
    """
    Whose connection it is.

    @ivar host: an IP address in its one form; empty when the proxy speaks for
        itself, or does not know.
    """

    host: str = ""
    port: int = 0


@frozen
class Header:
    """
    A whole header.

    @ivar size: its octets; what follows is the client's.
    """

    source: Source
    size: int


def read_header(octets: bytes) -> Header | None:
    """
    Read what a proxy sends first.

    @return: None when more must come.
    @raise NotProxied: this is no header, whatever follows.
    """
    if octets[:1] == SIGNATURE[:1]:
        return _read_v2(octets)
    return _read_v1(octets)


def _read_v1(octets: bytes) -> Header | None:
    begin = b"PROXY "
    if octets[: len(begin)] != begin[: len(octets)]:
        raise NotProxied("it does not begin with PROXY")
    end = octets.find(b"\r\n", 0, _LINE)
    if end < 0:
        if len(octets) >= _LINE:
            raise NotProxied("the line is too long")
        return None
    found = _V1.fullmatch(octets[:end])
    if found is None:
        raise NotProxied("the line is not understood")
    if found[1] is None:
        return Header(Source(), end + 2)
    try:
        family = IPv4Address if found[1] == b"TCP4" else IPv6Address
        host, _ = family(found[2].decode("ascii")), family(found[3].decode("ascii"))
    except ValueError:
        raise NotProxied("an address is not understood") from None
    source, _ = _port(found[4]), _port(found[5])
    return Header(Source(plain_address(str(host)), source), end + 2)


def _port(text: bytes) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise NotProxied("a port is not understood")
    return int(text)


def _read_v2(octets: bytes) -> Header | None:
    if octets[: len(SIGNATURE)] != SIGNATURE[: len(octets)]:
        raise NotProxied("the signature is wrong")
    if len(octets) < 16:
        return None
    command, family, size = struct.unpack_from("!BBH", octets, len(SIGNATURE))
    if command not in (_LOCAL, _PROXY):
        raise NotProxied("the version or the command is not known")
    if size > _MOST:
        raise NotProxied("it is too long")
    # LOCAL, a health check perhaps; or what is not TCP: both name nobody.
    address = _V2_ADDRESS.get(family, 0) if command == _PROXY else 0
    if address and size < 2 * address + 4:
        raise NotProxied("it is too short for its addresses")
    if len(octets) < 16 + size:
        return None
    return Header(_source_v2(octets, address) if address else Source(), 16 + size)


def _source_v2(octets: bytes, address: int) -> Source:
    begin = octets[16 : 16 + address]
    host = IPv4Address(begin) if address == 4 else IPv6Address(begin)
    (port,) = struct.unpack_from("!H", octets, 16 + 2 * address)
    return Source(plain_address(str(host)), port)
