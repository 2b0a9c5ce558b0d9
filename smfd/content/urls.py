"""
The addresses of pages in a message, and what is odd about them.

Standards: RFC 3986 §3 (the shape of a URI), RFC 5890 (A-labels).
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import unquote

from attrs import frozen

#: Behind a scheme: anything up to white space, a quote or a bracket.
_SCHEME = re.compile(r"://[^\s<>\"'\x00-\x1f]{3,2000}")
_BARE = re.compile(r"www\.[^\s<>\"'\x00-\x1f]{3,500}")
_SCHEMES = ("https", "http", "ftp")
_SPLIT = re.compile(
    r"(?>(?:(?:https?|ftp):[/\\]*+|//)?)(?:([^/?#\\]*)@)?"
    r"([^/?#\\:]{1,255})(?::(\d{1,5}))?(.*)",
    re.IGNORECASE | re.DOTALL,
)
_REDIRECT = re.compile(r"[?&/=;](?:https?)(?:://|%3a%2f%2f)", re.IGNORECASE)
_PROGRAM = re.compile(
    r"\.(?:exe|scr|pif|bat|cmd|vbs|js|jse|wsf|hta|msi|jar|ps1|lnk|iso|img|apk)"
    r"(?:$|[?#])",
    re.IGNORECASE,
)

#: Services that hide where a link leads.
_SHORT = frozenset(
    [
        *("bit.ly", "tinyurl.com", "goo.gl", "t.co", "ow.ly", "is.gd", "buff.ly"),
        *("cutt.ly", "rebrand.ly", "rb.gy", "shorturl.at", "t.ly", "s.id", "v.gd"),
        *("tiny.cc", "bl.ink", "lnkd.in", "qrco.de", "adf.ly", "soo.gd", "x.co"),
    ]
)


@frozen
class Url:
    """
    One address.

    @ivar text: as it was found, entities decoded.
    @ivar host: lower case, percent signs decoded; the IP address if it is one.
    @ivar oddities: words: "numeric", "user", "port", "punycode", "encoded-host",
        "many-labels", "redirect", "program", "short", "non-ascii".
    """

    text: str
    host: str
    oddities: tuple[str, ...]


def find_urls(text: str, most: int = 300) -> list[str]:
    """Find what people can click in plain text."""
    found: dict[str, None] = {}
    for url in chain(_with_scheme(text), _without(text)):
        found[url] = None
        if len(found) >= most:
            break
    return list(found)


def _with_scheme(text: str) -> Iterator[str]:
    for match in _SCHEME.finditer(text):
        before = text[max(0, match.start() - 5) : match.start()].lower()
        scheme = next((s for s in _SCHEMES if before.endswith(s)), "")
        if scheme:
            yield scheme + _trimmed(match[0])


def _without(text: str) -> Iterator[str]:
    for match in _BARE.finditer(text):
        start = match.start()
        before = text[max(0, start - 3) : start]
        if before != "://" and not before[-1:].isalnum():
            yield "http://" + _trimmed(match[0])


def read_urls(texts: Iterable[str], most: int = 300) -> tuple[Url, ...]:
    """Read addresses; those that are no web addresses are left out."""
    urls: dict[str, Url] = {}
    for text in texts:
        if len(urls) >= most:
            break
        text = text.strip()[:2048]
        if text in urls or not text.lower().startswith(("http", "ftp:", "//", "www.")):
            continue
        match = _SPLIT.match(text)
        if match is not None:
            urls[text] = _url(text, match)
    return tuple(urls.values())


def _trimmed(text: str) -> str:
    """Without what belongs to the sentence."""
    return text.rstrip(".,;:!?)]}*_|")


def _url(text: str, match: re.Match[str]) -> Url:
    user, host, port, path = match.groups()
    name = unquote(host).lower().rstrip(".")
    address = _numeric(name)
    oddities = [
        *(["numeric"] if address else []),
        *(["user"] if user else []),
        *(["port"] if port and port not in ("80", "443", "21") else []),
        *(["encoded-host"] if "%" in host else []),
        *_name_oddities(name),
        *_path_oddities(path),
    ]
    return Url(text, address or name, tuple(oddities))


def _name_oddities(name: str) -> Iterator[str]:
    """What is odd about a host's name."""
    if "xn--" in name:
        yield "punycode"
    if not name.isascii():
        yield "non-ascii"
    if name.count(".") >= 5:
        yield "many-labels"
    if name in _SHORT or name.removeprefix("www.") in _SHORT:
        yield "short"


def _path_oddities(path: str) -> Iterator[str]:
    """What is odd about the rest of an address."""
    if "http" in path.lower() and _REDIRECT.search(path):
        yield "redirect"
    if "." in path and _PROGRAM.search(path):
        yield "program"


def _numeric(name: str) -> str:
    """The IP address that a host is, in any of its spellings, or ""."""
    try:
        if name.isdigit() and len(name) <= 10:
            return str(ipaddress.IPv4Address(int(name)))
        if name.startswith("0x") and len(name) <= 10:
            return str(ipaddress.IPv4Address(int(name, 16)))
        if name[:1].isdigit() or name[:1] == "[":
            return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        pass
    return ""
