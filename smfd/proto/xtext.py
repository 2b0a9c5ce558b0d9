"""
The parameters that carry other systems' words: ENVID and ORCPT.

They are checked, and kept as they were written; what is written here for others
to read is spelled here too.

Standards: RFC 3461 §4 and §5, RFC 6533 §3.
"""

import re

from smfd.proto.reply import Malformed

ENVID_OCTETS = 100  # RFC 3461 §4.4
ORCPT_OCTETS = 500  # RFC 3461 §4.2

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
# RFC 6533 §3: embedded code points, or the characters themselves.
_UTF8_XTEXT = re.compile(
    r"(?:[!-*,-<>-\[\]-~\u0080-\U0010ffff]|\+[0-9A-F]{2}"
    r"|\\x\{[0-9A-F]{2,6}\})+"
)
_TYPE = re.compile(r"[A-Za-z0-9!#$%&'*/?^_`{|}~-]{1,40}")
_PLAIN = re.compile(r"[!-*,-<>-\[\]-~]")
_POINT = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_HEX = re.compile(r"\+([0-9A-F]{2})")


def decode(text: str) -> str:
    """
    Undo xtext.

    Raises L{Malformed} for what is no xtext, or hides control characters
    or 8-bit ones.
    """
    if not _XTEXT.fullmatch(text):
        raise Malformed("This is not xtext")
    plain = _HEX.sub(lambda found: chr(int(found[1], 16)), text)
    # RFC 3461 §4.4 and §4.2: printable characters only.
    if not plain.isascii() or not plain.isprintable():
        raise Malformed("xtext holds printable ASCII only")
    return plain


def encode(text: str) -> str:
    """Spell printable ASCII as xtext; what is none becomes a question mark."""
    plain = (c if " " <= c <= "~" else "?" for c in text)
    return "".join(c if _XTEXT.fullmatch(c) else f"+{ord(c):02X}" for c in plain)


def orcpt(address: str) -> str:
    """
    An address as ORCPT has it.

    RFC 6533 §3: code points that are not ASCII are spelled out, so that it may
    go wherever the parameter may.
    """
    if address.isascii():
        return f"rfc822;{encode(address)}"
    return "utf-8;" + "".join(
        c if _PLAIN.fullmatch(c) else f"\\x{{{ord(c):02X}}}" for c in address
    )


def original(value: str) -> tuple[str, str]:
    """
    Address type and address of a well formed ORCPT, for people.

    Whatever else it is, text comes out.
    """
    kind, _, address = value.partition(";")
    if kind.lower() == "utf-8":
        return "utf-8", _POINT.sub(lambda found: _point(found[1]), address)
    return kind.lower(), _HEX.sub(lambda found: chr(int(found[1], 16)), address)


def _point(digits: str) -> str:
    number = int(digits, 16)
    half = 0xD800 <= number < 0xE000
    return "\ufffd" if half or number > 0x10FFFF else chr(number)


def check_envid(value: str | None) -> str:
    """Let a well formed ENVID pass."""
    if not value or len(value) > ENVID_OCTETS:
        raise Malformed("ENVID has 1 to 100 octets")
    decode(value)
    return value


def check_orcpt(value: str | None, utf8: bool = False) -> str:
    """Let a well formed ORCPT pass: address type, ";", address in xtext."""
    kind, semicolon, address = (value or "").partition(";")
    if not semicolon or not _TYPE.fullmatch(kind):
        raise Malformed("ORCPT is type;address")
    if len((value or "").encode()) > ORCPT_OCTETS:
        raise Malformed("ORCPT has at most 500 octets")
    if kind.lower() == "utf-8":
        _check_utf8(address, utf8)
    else:
        decode(address)
    return value or ""


def _check_utf8(address: str, utf8: bool) -> None:
    if not _UTF8_XTEXT.fullmatch(address):
        raise Malformed("The address of ORCPT is not well formed")
    if not address.isascii() and not utf8:
        raise Malformed("This ORCPT needs SMTPUTF8", "5.6.7", 553)
