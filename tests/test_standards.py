"""The standards that are said to be followed are those that the code cites."""

import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import smfd

ROOT = Path(smfd.__file__).parent
PAGE = ROOT.parent / "docs" / "standards.md"

#: One grammar: RFC 5321, or RFC 5321 with its sections behind it.
_CITATION = re.compile(r"RFC (\d+)(?: §\d[\d.]*(?:(?:, | and | or | to )§\d[\d.]*)*)?")


def _text() -> Iterator[tuple[str, str]]:
    """Each line of the code that names an RFC, with its place."""
    for path in sorted(ROOT.rglob("*.py")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if "RFC" in line:
                yield f"{path.relative_to(ROOT)}:{number}", line


def _table(heading: str) -> list[str]:
    """The RFCs in the first table behind a heading."""
    behind = PAGE.read_text().split(f"# {heading}\n")[1].split("\n#")[0]
    return re.findall(r"^\| RFC (\d+) \| \S", behind, re.MULTILINE)


class StandardsTests(SynchronousTestCase):
    """docs/standards.md and the code."""

    def test_cited_and_listed(self) -> None:
        """Every RFC that is listed is cited somewhere, and the other way round."""
        cited = {rfc for _, line in _text() for rfc in _CITATION.findall(line)}
        self.assertEqual(sorted(cited, key=int), _table("Standards"))

    def test_not_yet(self) -> None:
        """What is not followed yet is not cited as if it were."""
        cited = {rfc for _, line in _text() for rfc in _CITATION.findall(line)}
        later = _table("Not yet")
        self.assertTrue(later)
        self.assertEqual([], [rfc for rfc in later if rfc in cited])

    def test_grammar(self) -> None:
        """A citation is written so that it can be found: RFC 5321 §4.5.2."""
        odd = []
        for place, line in _text():
            rest = _CITATION.sub("", line)
            if "RFC" in rest or re.search(r"RFC \d+,? (?i:s\.|sec)", line):
                odd.append(f"{place}: {line.strip()}")
        self.assertEqual([], odd)
