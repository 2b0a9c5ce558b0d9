"""
MTA-STS: what a domain says of the servers that take its mail.

Standards: RFC 8461 §3 and §4.
"""

import re
from collections.abc import Iterable

from attrs import frozen

from smfd.policy.certificate import fits

#: RFC 8461 §3.3 suggests this for a policy; larger ones are none.
LARGEST = 65536

#: RFC 8461 §3.2: about a year; who says more means this.
LONGEST_AGE = 31_557_600

#: Patterns that are read; a policy with more is refused.
MOST_PATTERNS = 100

MODES = ("enforce", "testing", "none")

#: RFC 8461 §3.1: fields with semicolons between, and space around those.
_FIELD = re.compile(rb"[ \t]*([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([!-:<>-~]+)[ \t]*")
_ID = re.compile(rb"[A-Za-z0-9]{1,32}")

#: RFC 8461 §3.2: key, colon, value.
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})[ \t]*:[ \t]*(.*?)[ \t]*")
_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,62})\.)*[a-z0-9-]{1,63}")


@frozen
class STS:
    """
    A policy.

    @ivar mode: one of L{MODES}.
    @ivar patterns: names of MX hosts, lower case; C{*.example} stands for one
        label.
    @ivar max_age: seconds it may be kept.
    """

    mode: str
    patterns: tuple[str, ...] = ()
    max_age: int = 0

    def permits(self, host: str) -> bool:
        """Whether a host is one that takes the domain's mail (RFC 8461 §4.1)."""
        name = host.lower().rstrip(".")
        return any(fits(pattern, name) for pattern in self.patterns)


def read_id(records: Iterable[bytes]) -> str:
    """
    The id in the TXT records of C{_mta-sts}; "" when there is no policy.

    RFC 8461 §3.1: other records there do not count, and of these there must be
    one.
    """
    ours = [record for record in records if _begins(record)]
    if len(ours) != 1 or len(ours[0]) > 1000:
        return ""
    fields = [
        _FIELD.fullmatch(part) for part in ours[0].split(b";")[1:] if part.strip()
    ]
    named = [found.groups() for found in fields if found is not None]
    found = next((value for key, value in named if key == b"id"), b"")
    if len(named) != len(fields) or _ID.fullmatch(found) is None:
        return ""
    return found.decode()


def _begins(record: bytes) -> bool:
    version, semicolon, _ = record.partition(b";")
    return bool(semicolon) and version.rstrip(b" \t") == b"v=STSv1"


def read_policy(body: bytes) -> STS:
    """
    Read a policy file.

    Of fields that come twice the first counts, C{mx} apart (RFC 8461 §3.2);
    those that nobody knows are left alone.

    @raise ValueError: it is none, with a sentence that says why.
    """
    fields = _fields(body)
    if fields.get("version", [""])[0] != "STSv1":
        raise ValueError("The policy does not say version: STSv1.")
    mode = fields.get("mode", [""])[0]
    if mode not in MODES:
        raise ValueError("The policy has no mode that we know.")
    return STS(mode, _patterns(mode, fields.get("mx", [])), _age(fields))


def _fields(body: bytes) -> dict[str, list[str]]:
    if len(body) > LARGEST:
        raise ValueError("The policy is too large.")
    try:
        lines = body.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise ValueError("The policy is not in UTF-8.") from None
    fields: dict[str, list[str]] = {}
    for line in lines:
        found = _LINE.fullmatch(line) if line.strip(" \t") else None
        if found is not None:
            fields.setdefault(found[1], []).append(found[2])
        elif line.strip(" \t"):
            raise ValueError("A line of the policy is no field.")
    return fields


def _patterns(mode: str, given: list[str]) -> tuple[str, ...]:
    if len(given) > MOST_PATTERNS:
        raise ValueError("The policy names too many hosts.")
    names = tuple(text.lower().rstrip(".") for text in given)
    if not all(len(name) <= 253 and _HOST.fullmatch(name) for name in names):
        raise ValueError("The policy names a host that cannot be.")
    if not names and mode != "none":
        raise ValueError("The policy names no host.")
    return names


def _age(fields: dict[str, list[str]]) -> int:
    text = fields.get("max_age", [""])[0]
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ValueError("The policy does not say for how long.")
    return min(int(text), LONGEST_AGE)
