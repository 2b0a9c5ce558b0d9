"""
Reports on TLS: what came of all connections to the servers of a domain in a day.

They are written, and read as strangers write them.

Standards: RFC 8460 §4, RFC 3339.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from smfd.format.words import masked

#: Octets of a report, packed and unpacked, that are read.
LARGEST, LARGEST_UNPACKED = 1 << 20, 8 << 20

#: Of each list so many are read, and so many characters of each text.
MOST, LONGEST = 1000, 1000

#: The largest number that is believed: sums of all that is kept have room.
_COUNT = 10**9

#: The end of the year 9999: what is later cannot be written.
_LAST = 253_402_300_800.0

#: RFC 8460 §4.2.
KINDS = ("tlsa", "sts", "no-policy-found")


@frozen
class Failure:
    """
    Connections that failed in the same way.

    @ivar result: the word of RFC 8460 §4.3.
    @ivar source: the IP address they came from, or "".
    @ivar host: the name of the MX host, or "".
    @ivar address: its IP address, or "".
    @ivar why: more of it, for people.
    """

    result: str
    count: int
    source: str = ""
    host: str = ""
    address: str = ""
    why: str = ""


@frozen
class Outcome:
    """
    What came of all connections under one policy.

    @ivar kind: one of L{KINDS}.
    @ivar domain: whose policy it is.
    @ivar text: the policy, line by line.
    @ivar hosts: the MX hosts that it names.
    @ivar good: connections that it was content with.
    """

    kind: str
    domain: str
    text: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    good: int = 0
    failures: tuple[Failure, ...] = ()

    @property
    def bad(self) -> int:
        """Connections that failed."""
        return sum(failure.count for failure in self.failures)


@frozen
class TLSReport:
    """
    A report.

    @ivar organization: who has written it.
    @ivar contact: whom to ask about it.
    @ivar begin: seconds since the epoch; C{end} is the last of them.
    """

    organization: str
    contact: str
    id: str
    begin: float
    end: float
    outcomes: tuple[Outcome, ...]

    def written(self) -> bytes:
        """As JSON."""
        document = {
            "organization-name": self.organization,
            "date-range": {
                "start-datetime": _time(self.begin),
                "end-datetime": _time(self.end),
            },
            "contact-info": self.contact,
            "report-id": self.id,
            "policies": [_policy(outcome) for outcome in self.outcomes],
        }
        return json.dumps(document, indent=1).encode()

    def packed(self) -> bytes:
        """As JSON, packed."""
        packer = zlib.compressobj(9, wbits=31)
        return packer.compress(self.written()) + packer.flush()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _policy(outcome: Outcome) -> dict[str, Any]:
    policy: dict[str, Any] = {
        "policy-type": outcome.kind,
        "policy-domain": outcome.domain,
    }
    if outcome.text:
        policy["policy-string"] = list(outcome.text)
    if outcome.hosts:
        policy["mx-host"] = list(outcome.hosts)
    found: dict[str, Any] = {
        "policy": policy,
        "summary": {
            "total-successful-session-count": outcome.good,
            "total-failure-session-count": outcome.bad,
        },
    }
    if outcome.failures:
        found["failure-details"] = [dict(_detail(f)) for f in outcome.failures]
    return found


def _detail(failure: Failure) -> Iterator[tuple[str, Any]]:
    yield "result-type", failure.result
    for name, text in (
        ("sending-mta-ip", failure.source),
        ("receiving-mx-hostname", failure.host),
        ("receiving-ip", failure.address),
        ("failure-reason-code", failure.why),
    ):
        if text:
            yield name, text
    yield "failed-session-count", failure.count


def read_report(octets: bytes) -> TLSReport:
    """
    Read a report, packed or not.

    What is missing in it is empty, what is too long is cut.

    @raise ValueError: it is none, with a sentence that says why.
    """
    if len(octets) > LARGEST:
        raise ValueError("The report is too large.")
    if octets.startswith(b"\x1f\x8b"):
        octets = _unpacked(octets)
    try:
        document = json.loads(octets)
    except (ValueError, RecursionError):
        raise ValueError("The report is no JSON.") from None
    found = _Table(document)
    if not isinstance(found.get("policies"), list):
        raise ValueError("The report has no policies.")
    span = found.table("date-range")
    return TLSReport(
        found.text("organization-name"),
        found.text("contact-info"),
        found.text("report-id"),
        _seconds(span.text("start-datetime")),
        _seconds(span.text("end-datetime")),
        tuple(_outcome(each) for each in found.tables("policies")),
    )


def _unpacked(octets: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(octets, LARGEST_UNPACKED)
    except zlib.error:
        raise ValueError("The report cannot be unpacked.") from None
    if not unpacker.eof:
        raise ValueError("The report is cut, or too large.")
    return plain


class _Table:
    """A JSON object of a stranger's, or what stands in its place."""

    def __init__(self, value: object) -> None:
        self._value: Mapping[str, Any] = value if isinstance(value, dict) else {}

    def get(self, name: str) -> Any:
        return self._value.get(name)

    def text(self, name: str) -> str:
        return _text(self.get(name))

    def count(self, name: str) -> int:
        value = self.get(name)
        return min(value, _COUNT) if type(value) is int and value > 0 else 0

    def table(self, name: str) -> "_Table":
        return _Table(self.get(name))

    def tables(self, name: str) -> "list[_Table]":
        return [_Table(value) for value in self._some(name)]

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.get(name)
        # RFC 8460 §4.4 has a list; some write a text.
        some = [value] if isinstance(value, str) else self._some(name)
        return tuple(_text(each) for each in some)

    def _some(self, name: str) -> Sequence[Any]:
        value = self.get(name)
        return value[:MOST] if isinstance(value, list) else []


def _text(value: object) -> str:
    return masked(value[:LONGEST]) if isinstance(value, str) else ""


def _seconds(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
        seconds = found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return seconds if 0 <= seconds < _LAST else 0.0


def _outcome(found: _Table) -> Outcome:
    policy = found.table("policy")
    return Outcome(
        policy.text("policy-type"),
        policy.text("policy-domain"),
        policy.texts("policy-string"),
        policy.texts("mx-host"),
        found.table("summary").count("total-successful-session-count"),
        tuple(_failure(each) for each in found.tables("failure-details")),
    )


def _failure(found: _Table) -> Failure:
    return Failure(
        found.text("result-type"),
        found.count("failed-session-count"),
        found.text("sending-mta-ip"),
        found.text("receiving-mx-hostname"),
        found.text("receiving-ip"),
        found.text("failure-reason-code"),
    )
