"""
The Authentication-Results field we put on top, and the evidence it is made of.

Evidence begins with C{name=value} words, then may go on with words for
people; L{evidence} writes it and L{tags} reads it, so nothing a stranger wrote
can pass for a tag of ours.

Standards: RFC 8601 §2.2 and §2.7.
"""

import re
from collections.abc import Iterable
from typing import Protocol

#: The longest value of a tag: a domain name fits (RFC 1035 §2.3.4).
LONGEST = 255

_SAFE = re.compile(r"[A-Za-z0-9._:@/+=,\-]+\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9._:@/+=,\-]")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+\Z")

#: Which tag of the evidence becomes which property (RFC 8601 §2.7).
_PROPERTIES = {
    "spf": (("mailfrom", "smtp.mailfrom"), ("helo", "smtp.helo")),
    "dkim": (("d", "header.d"), ("s", "header.s")),
    "dmarc": (("d", "header.from"),),
    # RFC 8617 §10.2 has a property for the client only.
    "arc": (),
}


class Reported(Protocol):
    """What a finding is, seen from here."""

    @property
    def symbol(self) -> str:
        """C{METHOD_RESULT}, as in SPF_PASS."""

    @property
    def evidence(self) -> str:
        """What L{evidence} wrote."""


def evidence(words: str = "", /, **values: str) -> str:
    """
    Write evidence: the values as tags, then the words.

    @return: printable ASCII; what does not fit a tag is "?", values that are
        empty or too long are left out (cut, a domain would be another one),
        and words of more than 200 characters are cut.
    """
    parts = [
        f"{name}={value if _SAFE.match(value) else _UNSAFE.sub('?', value)}"
        for name, value in values.items()
        if 0 < len(value) <= LONGEST
    ]
    if words:
        parts.append(": " + _UNPRINTABLE.sub("?", words[:200]))
    return " ".join(parts)


def tags(text: str) -> dict[str, str]:
    """Read the tags of some evidence; what follows them is not looked at."""
    found: dict[str, str] = {}
    for word in text.split(" "):
        name, equals, value = word.partition("=")
        if not equals:
            break
        found.setdefault(name, value)
    return found


def authentication_results(authserv_id: str, findings: Iterable[Reported]) -> bytes:
    """
    The field for some findings, CRLF ended.

    @param authserv_id: our name in it (RFC 8601 §2.5).
    """
    return f"Authentication-Results: {results(authserv_id, findings)}\r\n".encode()


def results(authserv_id: str, findings: Iterable[Reported]) -> str:
    """
    What the field says: ASCII, folded, without its end.

    Findings of other methods than SPF, DKIM, DMARC and ARC are left out.
    """
    found = [text for f in findings if (text := _resinfo(f.symbol, f.evidence))]
    # RFC 8601 §2.2: no-result says that nothing was checked.
    return ";\r\n\t".join([_value(authserv_id), *(found or ["none"])])


def _resinfo(symbol: str, text: str) -> str:
    head, _, result = symbol.partition("_")
    method = head.lower()
    properties = _PROPERTIES.get(method)
    if properties is None or not result:
        return ""
    outcome, _, policy = result.lower().partition("_")
    found = tags(text)
    parts = [f"{method}={outcome}"]
    if policy:
        parts.append(f"(p={policy})")
    parts += [
        f"{name}={_value(found[tag])}" for tag, name in properties if tag in found
    ]
    return " ".join(parts)


def _value(text: str) -> str:
    """A value by RFC 2045 §5.1: a token, or a quoted string."""
    if _TOKEN.match(text):
        return text
    clean = _UNPRINTABLE.sub("?", text[:LONGEST])
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
