"""
What is decided about held items, in an open transaction.

An item is one recipient of an entry; its name is C{ENTRY-NUMBER}.
"""

import sqlite3

from smfd.model.entry import Key, State


def split_item(item: str) -> Key:
    """An item's entry and number; one that cannot be has the number 0."""
    entry, _, number = item.rpartition("-")
    if number.isascii() and number.isdecimal() and len(number) < 10:
        return entry, int(number)
    return item, 0


def decide(
    connection: sqlite3.Connection, item: str, state: State, actor: str, now: float
) -> str | None:
    """
    Decide about an item that is still held.

    @return: the file it was kept in, or None when it is held no more.
    """
    found = connection.execute(
        "UPDATE recipients SET state = ?, decided = ?, actor = ?, top = x''"
        " WHERE entry = ? AND number = ? AND state = 'held' RETURNING detail",
        (state.value, now, actor, *split_item(item)),
    ).fetchall()
    return found[0][0] if found else None


def unneeded(connection: sqlite3.Connection, path: str) -> bool:
    """
    Whether nothing that is due or held is kept in a file.

    A file is named by its entry, so the entry's own recipients say it.
    """
    entry = path.rpartition("/")[2]
    needed = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM entries WHERE path = :path)"
        " OR EXISTS (SELECT 1 FROM recipients"
        " WHERE entry = :entry AND state = 'held' AND detail = :path)",
        {"path": path, "entry": entry},
    ).fetchone()
    return not needed[0]


def expire(
    connection: sqlite3.Connection, before: str, limit: int, now: float
) -> list[str]:
    """
    Delete the oldest items of entries whose id is below C{before}.

    @return: the files they were kept in, one for each item.
    """
    found = connection.execute(
        "UPDATE recipients SET state = 'deleted', decided = ?, actor = 'retention',"
        " top = x''"
        " WHERE (entry, number) IN (SELECT entry, number FROM recipients"
        " WHERE state = 'held' AND entry < ? ORDER BY entry, number LIMIT ?)"
        " RETURNING detail",
        (now, before, limit),
    )
    return [path for (path,) in found.fetchall()]
