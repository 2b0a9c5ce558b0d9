"""
Transfer encodings undone, however badly they were done.

Linear; what cannot be decoded is skipped, never raised.

Standards: RFC 2045 §6.7 and §6.8; uuencode as POSIX has it.
"""

import binascii
import re
from collections.abc import Callable

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(set(range(256)) - set(_ALPHABET))

#: After so many ends within one body, the ends are taken for noise.
_MOST_ENDS = 1000

_UU_BEGIN = re.compile(rb"^begin (?:[0-7]{3,4}|-) ([^\r\n]{1,255})\r?\n", re.MULTILINE)
_UU_END = re.compile(rb"^end[ \t]*\r?$", re.MULTILINE)


def from_base64(data: bytes) -> bytes:
    """
    Decode base64; what is not of its alphabet is skipped (RFC 2045 §6.8).

    Padding within the body ends one piece and begins the next.
    """
    data = data.translate(None, _NOT_BASE64)
    pieces = [data]
    if b"=" in data.rstrip(b"="):
        pieces = re.split(rb"=+", data)
        if len(pieces) > _MOST_ENDS:
            pieces = [data.replace(b"=", b"")]
    return b"".join(map(_quads, pieces))


def _quads(piece: bytes) -> bytes:
    """Decode one run of base64, whatever its end."""
    piece = piece.rstrip(b"=")
    if len(piece) % 4 == 1:
        piece = piece[:-1]
    return binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))


def from_uuencode(data: bytes) -> bytes:
    """Decode the uuencoded files in a body, one behind the other."""
    return b"".join(content for _, content in uuencoded(data))


def uuencoded(data: bytes, most: int = 100) -> list[tuple[bytes, bytes]]:
    """Find uuencoded files in text: names and contents."""
    found: list[tuple[bytes, bytes]] = []
    at = 0
    while len(found) < most:
        begin = _UU_BEGIN.search(data, at)
        if begin is None:
            break
        end = _UU_END.search(data, begin.end())
        at = len(data) if end is None else end.start()
        found.append((begin[1], _uu_lines(data[begin.end() : at])))
    return found


def _uu_lines(data: bytes) -> bytes:
    """Decode lines of uuencode; wrong ones are cut to what they declare."""
    lines = []
    for line in data.split(b"\n"):
        line = line.rstrip(b"\r")
        if not line:
            continue
        length = ((line[0] - 32) & 63) * 4 // 3 + 2
        try:
            lines.append(binascii.a2b_uu(line))
        except binascii.Error:
            try:
                lines.append(binascii.a2b_uu(line[:length]))
            except binascii.Error:
                continue
    return b"".join(lines)


#: By the word in Content-Transfer-Encoding; RFC 2045 §6.1 and what is seen.
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "base64": from_base64,
    "quoted-printable": binascii.a2b_qp,
    "x-uuencode": from_uuencode,
    "x-uue": from_uuencode,
    "uuencode": from_uuencode,
}

#: Encodings that leave a body as it is.
IDENTITY = frozenset(("", "7bit", "8bit", "binary"))
