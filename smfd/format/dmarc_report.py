"""
DMARC aggregate reports: what others saw of mail in a domain's name.

The XML is a stranger's.  There is no DTD in a report, so none is read: without
it nothing can be made longer than it is, and nothing outside is asked for.
What is known is taken, what is not known is passed over, and everything has a
limit.

Standards: RFC 7489 §7.2 and appendix C.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from xml.parsers import expat

from attrs import define, field, frozen

from smfd.format.words import masked

#: Octets of XML that are read.
LARGEST = 8 << 20

#: Rows that are told apart; the others are one.
ROWS = 1500

_DEPTH = 20
_TEXT = 1000
_MOST = 10**9
#: Results of one row that are kept.
_RESULTS = 4

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?")
_NUMBER = re.compile(r"\s*([0-9]{1,12})\s*")


class NoReport(ValueError):
    """It is no report, or none that can be read; the text is for people."""


@frozen
class Row:
    """
    Messages from one address that had the same fate.

    @ivar source: the IP address; "" when it is none.
    @ivar number: how many.
    @ivar disposition: "none", "quarantine", "reject" or what was written.
    @ivar dkim: whether an aligned signature passed; C{spf} likewise.
    @ivar author: the domain in From.
    @ivar detail: domains and results of SPF and DKIM, for people.
    """

    source: str
    number: int
    disposition: str
    dkim: bool
    spf: bool
    author: str
    detail: str


@frozen
class Report:
    """
    One report.

    @ivar domain: whose policy it is about, in small letters.
    @ivar reporter: who says he wrote it.
    @ivar name: what he calls it.
    @ivar begins: of the time it is about, seconds since the epoch; C{ends}
        likewise.
    @ivar policy: as he saw it, for people: "p=none sp=none".
    """

    domain: str
    reporter: str
    name: str
    begins: int
    ends: int
    policy: str
    rows: tuple[Row, ...]


def read_report(xml: bytes) -> Report:
    """
    Read one.

    @raise NoReport: it is none.
    """
    if len(xml) > LARGEST:
        raise NoReport("it is too large")
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(xml, True)
    except (expat.ExpatError, UnicodeError, LookupError) as wrong:
        raise NoReport(f"it is not XML: {wrong}"[:200]) from None
    return reader.report()


@define
class _Reader:
    """Gathers what is known while the XML goes by."""

    path: list[str] = field(factory=list)
    said: str = ""
    facts: dict[str, str] = field(factory=dict)
    record: dict[str, str] = field(factory=dict)
    results: list[str] = field(factory=list)
    result: dict[str, str] = field(factory=dict)
    rows: list[Row] = field(factory=list)
    rest: int = 0

    def refuse(self, *declared: object) -> None:
        """A DTD: whatever it says."""
        raise NoReport("it brings a DTD of its own")

    def begin(self, name: str, attributes: object) -> None:
        """An element begins."""
        if len(self.path) >= _DEPTH:
            raise NoReport("it is nested too deeply")
        self.path.append(name.rpartition(":")[2][:40])
        self.said = ""
        if len(self.path) == 1 and self.path[0] != "feedback":
            raise NoReport("it is not a DMARC report")

    def text(self, words: str) -> None:
        """Some text, in pieces."""
        if len(self.said) < _TEXT:
            self.said += words[:_TEXT]

    def end(self, name: str) -> None:
        """An element ends."""
        place = "/".join(self.path[1:])
        self.path.pop()
        said, self.said = self.said.strip(), ""
        if place == "record":
            self._row()
        elif place in ("record/auth_results/dkim", "record/auth_results/spf"):
            self._result(place.rpartition("/")[2])
        elif place.startswith("record/auth_results/"):
            _keep(self.result, place.rpartition("/")[2], said)
        elif place.startswith("record/"):
            _keep(self.record, place.removeprefix("record/"), said)
        elif place.startswith(("report_metadata/", "policy_published/")):
            _keep(self.facts, place, said)

    def report(self) -> Report:
        """All of it."""
        domain = _domain(self.facts.get("policy_published/domain", ""))
        if not domain:
            raise NoReport("it does not say which domain it is about")
        if self.rest:
            self.rows.append(Row("", self.rest, "", False, False, "", "others"))
        meta = "report_metadata"
        return Report(
            domain,
            _plain(self.facts.get(f"{meta}/org_name", ""), 100),
            _plain(self.facts.get(f"{meta}/report_id", ""), 200),
            _number(self.facts.get(f"{meta}/date_range/begin", ""), 2**36),
            _number(self.facts.get(f"{meta}/date_range/end", ""), 2**36),
            " ".join(self._policy()),
            tuple(self.rows),
        )

    def _policy(self) -> Iterator[str]:
        for name in ("p", "sp", "np", "adkim", "aspf", "pct", "testing"):
            said = _plain(self.facts.get(f"policy_published/{name}", ""), 20)
            if said:
                yield f"{name}={said}"

    def _result(self, method: str) -> None:
        found, self.result = self.result, {}
        if len(self.results) < _RESULTS:
            domain, selector = found.get("domain", ""), found.get("selector", "")
            of = _plain(domain, 100) + (f"/{_plain(selector, 40)}" if selector else "")
            self.results.append(f"{method}={_plain(found.get('result', ''), 12)} {of}")

    def _row(self) -> None:
        found, self.record = self.record, {}
        results, self.results, self.result = self.results, [], {}
        number = _number(found.get("row/count", ""), _MOST)
        if len(self.rows) >= ROWS:
            self.rest = min(_MOST, self.rest + number)
            return
        evaluated = "row/policy_evaluated/"
        self.rows.append(
            Row(
                _address(found.get("row/source_ip", "")),
                number,
                _plain(found.get(f"{evaluated}disposition", ""), 12).lower(),
                found.get(f"{evaluated}dkim", "").lower() == "pass",
                found.get(f"{evaluated}spf", "").lower() == "pass",
                _domain(found.get("identifiers/header_from", "")),
                "; ".join(results)[:300],
            )
        )


def _keep(facts: dict[str, str], name: str, said: str) -> None:
    # There is no end to the names that somebody may think of.
    if len(facts) < 100:
        facts.setdefault(name, said)


def _plain(text: str, most: int) -> str:
    """For people: printable, in one line, not long."""
    return masked(text[:most]).strip()


def _domain(text: str) -> str:
    name = text.strip().rstrip(".").lower()
    return name if _NAME.fullmatch(name) else ""


def _number(text: str, most: int) -> int:
    found = _NUMBER.fullmatch(text)
    return min(most, int(found[1])) if found else 0


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip()[:45]))
    except ValueError:
        return ""


def report_of(words: Any) -> Report:
    """
    A report from the words of whoever read it.

    @param words: the members of a L{Report}, from JSON; nothing of it is
        believed but that it is what it says.
    @raise NoReport: it is none.
    """
    if not isinstance(words, dict) or not isinstance(words.get("rows"), list):
        raise NoReport("nobody says what is in it")
    domain = _domain(_words(words, "domain", 253))
    if not domain:
        raise NoReport("it does not say which domain it is about")
    return Report(
        domain,
        _words(words, "reporter", 100),
        _words(words, "name", 200),
        _whole(words, "begins", 2**36),
        _whole(words, "ends", 2**36),
        _words(words, "policy", 200),
        tuple(_row_of(row) for row in words["rows"][: ROWS + 1]),
    )


def _row_of(words: Any) -> Row:
    if not isinstance(words, dict):
        raise NoReport("nobody says what is in a row")
    return Row(
        _address(_words(words, "source", 45)),
        _whole(words, "number", _MOST),
        _words(words, "disposition", 12),
        words.get("dkim") is True,
        words.get("spf") is True,
        _domain(_words(words, "author", 253)),
        _words(words, "detail", 300),
    )


def _words(words: dict[str, Any], name: str, most: int) -> str:
    value = words.get(name)
    return _plain(value, most) if isinstance(value, str) else ""


def _whole(words: dict[str, Any], name: str, most: int) -> int:
    value = words.get(name)
    return min(most, max(0, value)) if type(value) is int else 0
