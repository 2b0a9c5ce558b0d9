"""
One month of records, C{search-YYYY-MM.db}: made, filled, asked.

The words are indexed without being kept twice (a contentless FTS5 table); what
a page shows stands in a plain table beside it.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from smfd.store.search_criteria import Query

_VERSION = 2

_TABLES = """
CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    flow TEXT NOT NULL,
    client TEXT NOT NULL,
    sender TEXT NOT NULL,
    senders TEXT NOT NULL,
    accounts TEXT NOT NULL,
    recipients TEXT NOT NULL,
    subject TEXT NOT NULL,
    verdict TEXT NOT NULL,
    verdicts TEXT NOT NULL,
    score REAL,
    size INTEGER NOT NULL,
    reply TEXT NOT NULL
);
CREATE INDEX by_time ON records(time);
CREATE VIRTUAL TABLE words USING fts5(
    senders, accounts, recipients, subject, client, helo, verdict,
    content='', prefix='2 3', tokenize='unicode61 remove_diacritics 2'
);
CREATE TABLE state (after TEXT NOT NULL, filled INTEGER NOT NULL);
"""

_SHOWN = (
    "id",
    "time",
    "kind",
    "flow",
    "client",
    "sender",
    "accounts",
    "recipients",
    "subject",
    "verdict",
    "verdicts",
    "score",
    "size",
    "reply",
)

#: It can be filled again: consistent after a crash is enough.
_SYNC = "PRAGMA synchronous=NORMAL"

Numbered = tuple[int, Mapping[str, Any]]


class Damaged(Exception):
    """The file is no index, or not one of this version."""


def create(path: Path, after: str, filled: int) -> sqlite3.Connection:
    """
    Make an empty month.

    @param after: the month before it, or "".
    @param filled: see L{state}.
    """
    connection = _connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(_SYNC)
    connection.executescript(
        f"BEGIN; {_TABLES} PRAGMA user_version={_VERSION}; COMMIT;"
    )
    connection.execute("INSERT INTO state VALUES (?, ?)", (after, filled))
    path.chmod(0o600)
    return connection


def open_month(path: Path) -> sqlite3.Connection:
    """
    Open a month that is there.

    @raise Damaged: when it cannot be used.
    """
    connection = _connect(path)
    try:
        connection.execute(_SYNC)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != _VERSION:
            raise Damaged(path.name)
        state(connection)
    except (sqlite3.DatabaseError, TypeError) as error:
        connection.close()
        raise Damaged(path.name) from error
    except Damaged:
        connection.close()
        raise
    return connection


def state(connection: sqlite3.Connection) -> tuple[str, int]:
    """
    The month before this one, and how far all months were filled when this
    was the newest: every record up to that number is in this one or an older.
    """
    after, filled = connection.execute("SELECT after, filled FROM state").fetchone()
    return after, filled


def begin(connection: sqlite3.Connection) -> None:
    """From now on this is the first month: what came before was dropped."""
    connection.execute("UPDATE state SET after=''")


def has(connection: sqlite3.Connection, seq: int, record_id: str) -> bool:
    """Whether that record is here under that number."""
    found = connection.execute("SELECT id FROM records WHERE seq=?", (seq,))
    return bool(found.fetchone() == (record_id,))


def fill(
    connection: sqlite3.Connection, records: Sequence[Numbered], filled: int | None
) -> None:
    """
    Add records in one transaction; those that are there already stay.

    @param records: in the order of their numbers.
    @param filled: the new state, when this is the newest month.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if records:
            _add(connection, records)
        if filled is not None:
            connection.execute("UPDATE state SET filled=?", (filled,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def newest(connection: sqlite3.Connection) -> float:
    """The time of the latest record in it, or 0."""
    (time,) = connection.execute("SELECT max(time) FROM records").fetchone()
    return time or 0.0


def find(
    connection: sqlite3.Connection, query: Query, limit: int
) -> list[dict[str, Any]]:
    """What matches, the newest first."""
    columns = ", ".join(f"r.{name}" for name in _SHOWN)
    terms, values = list(query.terms), list(query.values)
    source = "records r"
    if query.match:
        source = "words JOIN records r ON r.seq = words.rowid"
        terms.insert(0, "words MATCH ?")
        values.insert(0, query.match)
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    order = "words.rowid" if query.match else "r.time"
    rows = connection.execute(
        f"SELECT {columns} FROM {source}{where} ORDER BY {order} DESC LIMIT ?",
        [*values, limit],
    )
    return [_item(row) for row in rows]


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def _add(connection: sqlite3.Connection, records: Sequence[Numbered]) -> None:
    there = connection.execute(
        "SELECT seq FROM records WHERE seq BETWEEN ? AND ?",
        (records[0][0], records[-1][0]),
    )
    known = {seq for (seq,) in there}
    rows = [_row(seq, record) for seq, record in records if seq not in known]
    connection.executemany(
        "INSERT INTO records VALUES (:seq, :id, :time, :kind, :flow, :client,"
        " :sender, :senders, :accounts, :recipients, :subject, :verdict, :verdicts,"
        " :score, :size, :reply)",
        rows,
    )
    connection.executemany(
        "INSERT INTO words (rowid, senders, accounts, recipients, subject, client,"
        " helo, verdict) VALUES (:seq, :senders, :accounts, :recipients, :subject,"
        " :client, :helo, :verdicts)",
        rows,
    )


def _row(seq: int, record: Mapping[str, Any]) -> Mapping[str, Any]:
    texts = ("id", "kind", "flow", "client", "helo", "sender", "subject", "reply")
    verdict = _text(record.get("verdict"))
    fates = record.get("fates") or ()
    words = dict.fromkeys([verdict, *(_text(fate.get("category")) for fate in fates)])
    return {
        **{name: _text(record.get(name)) for name in texts},
        "seq": seq,
        "time": float(record.get("time") or 0),
        "senders": _lines([record.get("sender"), record.get("header_from")]),
        "accounts": _lines([record["account"]]) if record.get("account") else "",
        "recipients": _lines(record.get("recipients") or ()) + _named(record),
        "verdict": verdict,
        "verdicts": f" {' '.join(words)} ",
        "score": record.get("score"),
        "size": int(record.get("size") or 0),
    }


def _named(record: Mapping[str, Any]) -> str:
    """Behind the mailboxes and an empty line: the aliases the sender knows."""
    named = record.get("named")
    return _lines(named) if named else ""


def _lines(texts: Iterable[Any]) -> str:
    """Lower case, each between line feeds."""
    return "".join(f"\n{_text(t).lower()}" for t in texts) + "\n"


def _text(value: Any) -> str:
    """Text that SQLite takes, whatever a stranger sent; no NUL, no halves."""
    text = str(value or "").replace("\0", " ")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _item(row: tuple[Any, ...]) -> dict[str, Any]:
    item = dict(zip(_SHOWN, row, strict=True))
    item["account"] = item.pop("accounts").strip("\n")
    mailboxes, _, _ = item["recipients"].partition("\n\n")
    item["recipients"] = [one for one in mailboxes.split("\n") if one]
    item["verdicts"] = item["verdicts"].split()
    return item
