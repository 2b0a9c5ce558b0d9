"""
The things that accounts are known by in C{counters.db}: to whom they wrote,
where from, and what.
"""

import sqlite3
from collections.abc import Mapping, Sequence

from attrs import define, field

from smfd.policy.quota import REMEMBERED, Draw, Meter

#: A thing that is seen again is written down when less than this share of its
#: time is left: who writes to the same people again and again costs no write.
_LATE = 0.97


@define
class Seen:
    """
    Until when each of them is known, and no more of them than L{REMEMBERED}.

    They are counted when there may be too many: to count reads them all.
    """

    _room: dict[tuple[str, str], int] = field(factory=dict, init=False)

    def ends(
        self, connection: sqlite3.Connection, account: str, draw: Draw
    ) -> dict[str, float]:
        """Until when each of a draw's things is known, of those that are."""
        found: dict[str, float] = {}
        for item in draw.items:
            row = connection.execute(
                "SELECT ends FROM seen WHERE account=? AND meter=? AND item=?",
                (account, draw.meter.name, item),
            ).fetchone()
            if row is not None and isinstance(row[0], int):
                found[item] = row[0]
        return found

    @staticmethod
    def fresh(draw: Draw, known: Mapping[str, float], now: float) -> list[str]:
        """Things whose end is to be written; it is not for each sight of them."""
        late = now + draw.meter.kept * _LATE
        return [item for item in draw.items if known.get(item, 0) < late]

    def keep(
        self,
        connection: sqlite3.Connection,
        account: str,
        meter: Meter,
        items: Sequence[str],
        now: float,
    ) -> None:
        """They are known from now on; of too many the oldest are forgotten."""
        if not items:
            return
        ends = int(now + meter.kept)
        connection.executemany(
            "INSERT OR REPLACE INTO seen VALUES (?,?,?,?)",
            [(account, meter.name, item, ends) for item in items],
        )
        key = account, meter.name
        room = self._room.get(key, 0) - len(items)
        self._room[key] = _counted(connection, *key) if room < 0 else room

    def count_again(self) -> None:
        """Some went, of whomever."""
        self._room.clear()


def _counted(connection: sqlite3.Connection, account: str, meter: str) -> int:
    """For how many more there is room; where they were too many, for a tenth."""
    (many,) = connection.execute(
        "SELECT count(*) FROM seen WHERE account=? AND meter=?", (account, meter)
    ).fetchone()
    if many <= REMEMBERED:
        return int(REMEMBERED - many)
    room = REMEMBERED // 10
    connection.execute(
        "DELETE FROM seen WHERE account=:account AND meter=:meter AND item IN"
        " (SELECT item FROM seen WHERE account=:account AND meter=:meter"
        " ORDER BY ends LIMIT :over)",
        {"account": account, "meter": meter, "over": many - REMEMBERED + room},
    )
    return room
