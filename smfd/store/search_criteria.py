"""
What somebody searches for, as SQL on one month's file.

The full-text index finds candidates, and a plain comparison confirms them:
C{a@b.example} never finds C{a@b.example.org}.
"""

import unicodedata
from typing import Any

from attrs import field, frozen

#: More words than these narrow nothing down.
_MOST_WORDS = 20
_LONGEST = 500


class Unsearchable(ValueError):
    """Nobody can search for that; says why in a sentence."""


@frozen
class Criteria:
    """
    What a record must be like; what is empty does not matter.

    @ivar sender: C{a@b} is that address, C{@b} the domain, anything else the
        beginning of a local part or a domain; with a C{*} at the end the
        beginning of an address; C{<>} nobody.  It is looked for in the
        envelope and in From.
    @ivar recipient: likewise, among the recipients.
    @ivar account: likewise, who had logged in, or was refused to.
    @ivar subject: words that must all be in it; C{word*} is a beginning.
    @ivar client: an IP address, or with a C{*} its beginning.
    @ivar verdict: of the message, or the category for any of its recipients.
    @ivar since: not before, seconds since the epoch.
    @ivar until: before.
    """

    sender: str = ""
    recipient: str = ""
    account: str = ""
    subject: str = ""
    client: str = ""
    verdict: str = ""
    since: float | None = None
    until: float | None = None


@frozen
class Query:
    """
    SQL for one month.

    @ivar match: an FTS5 expression, or "" when every row is a candidate.
    """

    match: str
    terms: tuple[str, ...]
    values: tuple[Any, ...]


@frozen
class _Draft:
    match: list[str] = field(factory=list)
    terms: list[str] = field(factory=list)
    values: list[Any] = field(factory=list)

    def words(self, column: str, text: str, prefix: bool = False) -> None:
        """A phrase in a column, the last word whole or a beginning."""
        # Inside the quotes FTS5 knows no operator but the quote itself.
        phrase = text.replace('"', " ").replace("\0", " ")
        if any(c.isalnum() for c in phrase):
            star = " *" if prefix and phrase[-1].isalnum() else ""
            self.match.append(f'{column} : "{phrase}"{star}')

    def confirm(self, term: str, *values: Any) -> None:
        """A condition on the row itself."""
        self.terms.append(term)
        self.values.extend(values)


def query(criteria: Criteria) -> Query:
    """
    Write the SQL.

    @raise Unsearchable: with a sentence, when nothing can match for a reason
        the person should know.
    """
    draft = _Draft()
    _address(draft, "senders", criteria.sender)
    _address(draft, "recipients", criteria.recipient)
    _address(draft, "accounts", criteria.account)
    _subject(draft, criteria.subject)
    _client(draft, criteria.client)
    if criteria.verdict:
        verdict = _plain(criteria.verdict)
        draft.words("verdict", verdict)
        draft.confirm("instr(r.verdicts, ?)", f" {verdict} ")
    if criteria.since is not None:
        draft.confirm("r.time >= ?", criteria.since)
    if criteria.until is not None:
        draft.confirm("r.time < ?", criteria.until)
    return Query(" AND ".join(draft.match), tuple(draft.terms), tuple(draft.values))


def _address(draft: _Draft, column: str, text: str) -> None:
    """Senders and recipients stand between line feeds, in lower case."""
    wanted = _plain(text)
    if not wanted:
        return
    if wanted == "<>":
        if column != "senders":
            raise Unsearchable("Only a sender can be nobody: <>.")
        draft.confirm("r.sender = ''")
    elif wanted.endswith("*"):
        beginning = wanted.rstrip("*")
        draft.words(column, beginning, prefix=True)
        draft.confirm(f"instr(r.{column}, ?)", f"\n{beginning}")
    elif wanted.startswith("@"):
        draft.words(column, wanted)
        draft.confirm(f"instr(r.{column}, ?)", f"{wanted}\n")
    elif "@" in wanted:
        draft.words(column, wanted)
        draft.confirm(f"instr(r.{column}, ?)", f"\n{wanted}\n")
    else:
        draft.words(column, wanted, prefix=True)
        draft.confirm(
            f"(instr(r.{column}, ?) OR instr(r.{column}, ?))",
            f"\n{wanted}",
            f"@{wanted}",
        )


def _subject(draft: _Draft, text: str) -> None:
    words = _plain(text).split()
    if len(words) > _MOST_WORDS:
        raise Unsearchable(f"Search for at most {_MOST_WORDS} words.")
    if words and not any(c.isalnum() for c in text):
        raise Unsearchable("Search for letters or digits.")
    for word in words:
        draft.words("subject", word.rstrip("*"), prefix=word.endswith("*"))


def _client(draft: _Draft, text: str) -> None:
    wanted = _plain(text)
    if wanted.endswith("*"):
        beginning = wanted.rstrip("*")
        draft.words("client", beginning, prefix=True)
        draft.confirm("instr(r.client, ?) = 1", beginning)
    elif wanted:
        draft.words("client", wanted)
        draft.confirm("r.client = ?", wanted)


def _plain(text: str) -> str:
    if len(text) > _LONGEST:
        raise Unsearchable(f"Search for at most {_LONGEST} characters.")
    return unicodedata.normalize("NFC", text).strip().lower()
