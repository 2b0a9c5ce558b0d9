"""The questions that people ask of the ledger, on a read-only connection."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from smfd.model.entry import NOTHING, Asked
from smfd.store.ledger_held import split_item
from smfd.store.ledger_rows import asked_from

#: The most items on a page.
LONGEST_PAGE = 1000

#: The most words looked for; what comes behind them is not.
_WORDS = 8

_ITEMS = """
FROM recipients r LEFT JOIN records d ON d.id = r.entry WHERE r.state = 'held'
"""

_ITEM = """
SELECT r.entry || '-' || r.number AS id, r.address AS recipient, r.domain,
    r.category AS class, r.reason, r.score, r.detail AS path,
    coalesce(d.sender, '') AS sender, coalesce(d.subject, '') AS subject,
    coalesce(d.time, 0.0) AS received, coalesce(d.size, 0) AS size
"""

#: What is due to a site that is down is not touched; what is known is the site's.
_RECIPIENTS = """
SELECT number, address, destination, category, reason, score, state,
    CASE WHEN state = 'due' AND s.why <> '' THEN s.why ELSE detail END AS detail,
    decided, actor, r.attempts,
    CASE state WHEN 'due'
        THEN nullif(max(r.next_try, coalesce(s.next_try, 0)), 0) END AS next_try
FROM recipients AS r LEFT JOIN sites AS s ON s.site = r.site AND r.site <> ''
WHERE entry = ? ORDER BY number
"""

_ACTS = """
SELECT time, actor, act, subject, detail FROM acts
WHERE subject = :id OR (subject >= :id || '-' AND subject < :id || '.') ORDER BY seq
"""


@frozen
class HeldQuery:
    """
    Which held items are wanted.

    @ivar account: who sent them; asks for the records of all others, so name
        a category with it.
    @ivar words: all of them are in the subject, the sender or the recipient.
    """

    domain: str = ""
    recipient: str = ""
    words: str = ""
    category: str = ""
    account: str = ""
    limit: int = 100
    offset: int = 0

    def condition(self) -> tuple[str, list[str]]:
        """The end of the SQL, and its values."""
        sql, values = "", []
        for column, value in (
            ("domain", self.domain),
            ("address", self.recipient),
            ("category", self.category),
        ):
            if value:
                sql += f" AND r.{column} = ?"
                values.append(value)
        if self.account:
            sql += " AND json_extract(d.json, '$.account') = ?"
            values.append(self.account)
        for word in self.words.split()[:_WORDS]:
            sql += (
                " AND (d.subject LIKE ? ESCAPE '\\' OR d.sender LIKE ? ESCAPE '\\'"
                " OR r.address LIKE ? ESCAPE '\\')"
            )
            values += [_like(word)] * 3
        return sql, values


def held(connection: sqlite3.Connection, query: HeldQuery) -> dict[str, Any]:
    """A page of held items, the newest first, and how many there are in all."""
    condition, values = query.condition()
    limit = max(0, min(query.limit, LONGEST_PAGE))
    (total,) = connection.execute(f"SELECT count(*) {_ITEMS}{condition}", values)
    found = connection.execute(
        f"{_ITEM}{_ITEMS}{condition}"
        " ORDER BY r.entry DESC, r.number DESC LIMIT ? OFFSET ?",
        [*values, limit, max(0, query.offset)],
    )
    return {"items": [dict(row) for row in found], "total": total[0]}


def held_item(connection: sqlite3.Connection, item: str) -> dict[str, Any] | None:
    """
    One item, when it is held, with C{top}: what only this recipient gets,
    C{notify} and C{orcpt}: what its sender wants to hear, and C{asked}: an L{Asked
    <smfd.model.entry.Asked>}, what came with the message.
    """
    key = split_item(item)
    found = connection.execute(
        f"{_ITEM}, r.top, r.notify, r.orcpt {_ITEMS} AND r.entry = ? AND r.number = ?",
        key,
    ).fetchone()
    return {**found, "asked": _asked(connection, key[0])} if found else None


def _asked(connection: sqlite3.Connection, entry: str) -> Asked:
    row = connection.execute(
        "SELECT envid, ret, kind FROM asked WHERE entry = ?", (entry,)
    ).fetchone()
    return asked_from(*row) if row else NOTHING


def record(connection: sqlite3.Connection, record_id: str) -> dict[str, Any] | None:
    """A record, where its recipients stand, and what people did to it."""
    found = connection.execute(
        "SELECT json FROM records WHERE id = ?", (record_id,)
    ).fetchone()
    if found is None:
        return None
    recipients = connection.execute(_RECIPIENTS, (record_id,))
    acts = connection.execute(_ACTS, {"id": record_id})
    return {
        "record": json.loads(found["json"]),
        "recipients": [dict(row) for row in recipients],
        "acts": [dict(row) for row in acts],
    }


def records_after(
    connection: sqlite3.Connection, seq: int, limit: int
) -> list[tuple[int, dict[str, Any]]]:
    """Records in the order they were committed, with their numbers."""
    found = connection.execute(
        "SELECT seq, json FROM records WHERE seq > ? ORDER BY seq LIMIT ?",
        (seq, max(0, limit)),
    )
    return [(row["seq"], json.loads(row["json"])) for row in found]


def counts(connection: sqlite3.Connection) -> dict[str, Any]:
    """
    How much there is, and since when the oldest is due.

    What is due costs time for each that is, the rest none.  Records are
    counted by their numbers: those that went before their time count, too.
    """
    found: Mapping[str, Any] = connection.execute(
        "SELECT (SELECT count(*) FROM entries e CROSS JOIN recipients r"
        " ON r.entry = e.id WHERE r.state = 'due') AS due,"
        " (SELECT count(*) FROM recipients WHERE state = 'suspended') AS suspended,"
        " (SELECT count(*) FROM recipients WHERE state = 'held') AS held,"
        " (SELECT count(*) FROM recipients WHERE state = 'corrupt') AS corrupt,"
        " (SELECT coalesce(max(seq) + 1 - (SELECT min(seq) FROM records), 0)"
        " FROM records) AS records,"
        " (SELECT e.received FROM entries e CROSS JOIN recipients r ON r.entry = e.id"
        " WHERE r.state = 'due' ORDER BY e.id LIMIT 1) AS oldest_due"
    ).fetchone()
    return dict(found)


def domains_held(connection: sqlite3.Connection) -> dict[str, int]:
    """How many items each domain has."""
    found = connection.execute(
        "SELECT domain, count(*) AS n FROM recipients"
        " WHERE state = 'held' GROUP BY domain"
    )
    return {row["domain"]: row["n"] for row in found}


def _like(word: str) -> str:
    for sign in "\\%_":
        word = word.replace(sign, "\\" + sign)
    return f"%{word}%"
