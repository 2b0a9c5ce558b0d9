"""
Rows of the ledger, and statements that write many of them at once.

Each step of a statement gives the interpreter lock away and takes it again;
one statement for sixty-four rows costs that once.
"""

import os
from collections.abc import Sequence
from itertools import chain
from typing import Any
from zlib import crc32

from smfd.model.entry import NOTHING, Asked, Entry, Outcome, State
from smfd.model.record import Record
from smfd.store.record_json import record_json

Row = tuple[Any, ...]

#: How many rows one statement writes: any number is a sum of these.
SIZES = (64, 32, 16, 8, 4, 2, 1)


class Bulk:
    """
    One statement over many rows.

    @ivar width: values in a row.
    """

    def __init__(self, before: str, width: int, after: str = "") -> None:
        self.width = width
        row = f"({','.join('?' * width)})"
        self._sql = {n: before + ",".join([row] * n) + after for n in SIZES}

    def parts(self, rows: Sequence[Row]) -> list[tuple[str, list[Any]]]:
        """The statements that write all rows, with their values."""
        found = []
        start, left = 0, len(rows)
        for size in SIZES:
            while left >= size:
                part = rows[start : start + size]
                found.append((self._sql[size], list(chain.from_iterable(part))))
                start += size
                left -= size
        return found


ENTRIES = Bulk(
    "INSERT INTO entries (id,received,sender,size,path,cuts,top,body,crc,account,"
    "envid,ret,kind) VALUES ",
    13,
)
RECIPIENTS = Bulk(
    "INSERT INTO recipients (entry,number,address,domain,destination,category,"
    "reason,score,top,state,site,notify,orcpt) VALUES ",
    13,
)
RECORDS = Bulk(
    "INSERT INTO records (id,time,kind,client,sender,subject,verdict,score,size,json)"
    " VALUES ",
    10,
)
ACTS = Bulk("INSERT INTO acts (time,actor,act,subject,detail) VALUES ", 5)

#: Rows: entry, number, state, detail, next_try, decided.  What was suspended
#: while it was under way stays so, unless nothing is left to be done.
SETTLED = Bulk(
    "UPDATE recipients SET detail = v.column4,"
    " state = CASE v.column3 WHEN 'due' THEN state ELSE v.column3 END,"
    " next_try = v.column5, decided = v.column6, attempts = attempts + 1,"
    " top = CASE WHEN v.column3 IN ('due', 'corrupt', 'held') THEN top ELSE x'' END"
    " FROM (VALUES ",
    6,
    ") AS v WHERE entry = v.column1 AND number = v.column2"
    " AND state IN ('due', 'suspended')",
)

#: Rows: entry, number, kind, time, detail.  Before SETTLED: nothing is said of
#: whom that will not settle.
NOTICES = Bulk(
    "INSERT OR IGNORE INTO notices (entry,number,kind,time,detail)"
    " SELECT column1, column2, column3, column4, column5 FROM (VALUES ",
    5,
    ") JOIN recipients ON entry = column1 AND number = column2"
    " WHERE state IN ('due', 'suspended')",
)

#: Rows: entry, number, category, reason, next_try.
HELD_BACK = Bulk(
    "UPDATE recipients SET destination = 'quarantine', site = '',"
    " category = v.column3,"
    " reason = v.column4, detail = '', next_try = v.column5, attempts = attempts + 1"
    " FROM (VALUES ",
    5,
    ") AS v WHERE entry = v.column1 AND number = v.column2 AND state = 'due'",
)

_IDLE = (
    " AND NOT EXISTS (SELECT 1 FROM recipients"
    " WHERE entry = id AND state IN ('due', 'suspended', 'corrupt'))"
    " AND NOT EXISTS (SELECT 1 FROM notices WHERE entry = id)"
)

#: Rows: entry.  What came with MAIL is kept for those who are held, for their
#: release.
ASKED = Bulk(
    "INSERT OR IGNORE INTO asked SELECT id, envid, ret, kind FROM entries"
    " WHERE envid || ret || kind <> '' AND id IN (",
    1,
    ")",
)

#: Rows: entry.  Bodies kept as files that nobody is due any more.
LEFT_OVER = Bulk(
    "SELECT path FROM entries WHERE id IN (", 1, ") AND path <> ''" + _IDLE
)

#: Rows: entry.
DONE = Bulk("DELETE FROM entries WHERE id IN (", 1, ")" + _IDLE)


def entry_row(entry: Entry, home: str) -> Row:
    """What C{entries} keeps of an entry; paths relative to the home."""
    body = entry.body
    if body.data is None:
        path, crc = os.path.relpath(body.path, home), body.crc
    else:
        path, crc = "", crc32(body.data)
    asked = entry.asked
    return (
        entry.id,
        entry.received,
        _text(entry.sender),
        body.size,
        path,
        " ".join(f"{start}-{end}" for start, end in entry.cuts),
        entry.top,
        body.data,
        crc,
        _text(entry.account),
        _text(asked.envid),
        asked.ret,
        "" if asked is NOTHING else _kind(asked),
    )


#: What may stand behind the body's type in the column "kind".
_UTF8, _DESPITE_TLS = "SMTPUTF8", "DESPITE-TLS"


def asked_from(envid: str, ret: str, kind: str) -> Asked:
    """What was asked for, back from its columns."""
    if not (envid or ret or kind):
        return NOTHING
    words = kind.split() or [NOTHING.body]
    return Asked(ret, envid, words[0], _UTF8 in words, _DESPITE_TLS in words)


def _kind(asked: Asked) -> str:
    """The body's type, and a word for each thing more; or ""."""
    words = [asked.body]
    if asked.smtputf8:
        words.append(_UTF8)
    if asked.despite_tls:
        words.append(_DESPITE_TLS)
    return "" if words == [NOTHING.body] else " ".join(words)


def cuts_from(text: str) -> tuple[tuple[int, int], ...]:
    """The ranges back from their text."""
    pairs = (part.partition("-") for part in text.split())
    return tuple((int(start), int(end)) for start, _, end in pairs)


def recipient_rows(entry: Entry, state: State) -> list[Row]:
    """One row for each recipient, where all of them stand."""
    return [
        (
            entry.id,
            r.number,
            _text(r.address),
            _text(r.keeper),
            r.destination,
            r.category,
            _text(r.reason),
            r.score,
            r.top,
            state.value,
            _text(r.site),
            r.notify,
            _text(r.orcpt),
        )
        for r in entry.recipients
    ]


def record_row(record: Record) -> Row:
    """What C{records} keeps, and the whole as JSON."""
    return (
        record.id,
        record.time,
        record.kind,
        record.client,
        _text(record.sender),
        _text(record.subject),
        record.verdict,
        record.score,
        record.size,
        record_json(record),
    )


def outcome_row(outcome: Outcome, now: float) -> Row:
    """How C{SETTLED} wants it."""
    return (
        outcome.entry_id,
        outcome.number,
        outcome.state.value,
        _text(outcome.detail),
        outcome.next_try,
        None if outcome.state is State.DUE else now,
    )


def notice_row(outcome: Outcome, now: float) -> Row:
    """How C{NOTICES} wants it."""
    detail = _text(outcome.detail)
    return (outcome.entry_id, outcome.number, outcome.notice, now, detail)


def held_back_row(outcome: Outcome) -> Row:
    """How C{HELD_BACK} wants it."""
    return (
        outcome.entry_id,
        outcome.number,
        outcome.category,
        _text(outcome.detail),
        outcome.next_try,
    )


def _text(text: str) -> str:
    """What SQLite takes: octets that were no UTF-8 become question marks."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()
