"""
What addresses and their networks did before, and who came back when asked.

All of it is in memory, bounded, and forgotten by and by;
L{smfd.store.history_file} keeps it over a restart.

Standards: RFC 6647 §2.4, §4 (greylisting).
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

#: What is known of a key: numbers, or words.
Row = tuple[Any, ...]


@define
class Shelf:
    """
    The rows used last.

    @ivar most: how many it holds; the one not touched for longest goes.
    @ivar rows: by key, the oldest first.
    """

    most: int
    rows: OrderedDict[str, Row] = field(factory=OrderedDict)
    _changed: dict[str, Row | None] = field(factory=dict)

    def put(self, key: str, row: Row) -> None:
        """Keep a row."""
        self.rows[key] = self._changed[key] = row
        self.rows.move_to_end(key)
        self._trim()

    def drop(self, key: str) -> bool:
        """Forget a row; whether there was one."""
        if self.rows.pop(key, None) is None:
            return False
        self._changed[key] = None
        return True

    def load(self, rows: Mapping[str, Row]) -> None:
        """Rows of before, the oldest first; what came since is newer."""
        now, self.rows = self.rows, OrderedDict()
        for key, row in {**rows, **now}.items():
            self.rows[key] = row
        self._trim()

    def changes(self) -> dict[str, Row | None]:
        """What changed since it was asked last; None for what is gone."""
        changed, self._changed = self._changed, {}
        return changed

    def undo(self, changes: Mapping[str, Row | None]) -> None:
        """These could not be written: they are changes still."""
        self._changed = {**changes, **self._changed}

    def _trim(self) -> None:
        """Let go of the oldest, and of what was long gone when it was written."""
        while len(self.rows) > self.most:
            gone, _ = self.rows.popitem(last=False)
            self._changed[gone] = None
        if len(self._changed) > 3 * self.most:
            # They come back with the next start, as the oldest.
            changed = self._changed.items()
            self._changed = {key: row for key, row in changed if row is not None}


@frozen
class Standing:
    """
    What is known of an address or of a network; points fade.

    @ivar refusals: refused for what was asked.
    @ivar unknown: recipients that are not here.
    @ivar viruses: messages with one.
    @ivar good: messages that were delivered.
    @ivar at: when these were counted, seconds since the epoch.
    """

    refusals: float = 0.0
    unknown: float = 0.0
    viruses: float = 0.0
    good: float = 0.0
    at: float = 0.0

    @property
    def points(self) -> float:
        """What it all amounts to; a virus is five times a refusal."""
        return self.refusals + self.unknown + 5 * self.viruses

    def row(self) -> Row:
        """As a shelf keeps it."""
        return (self.refusals, self.unknown, self.viruses, self.good, self.at)


#: What is good is remembered so many times as long as what is bad.
_FAITH = 168.0

#: The deeds that L{History.count} knows.
REFUSAL, UNKNOWN, VIRUS, GOOD = range(4)


@define
class History:
    """
    Counts what addresses and networks do.

    @ivar half_life: seconds after which a point is worth half.
    """

    shelf: Shelf
    half_life: float = 3600.0

    def standing(self, who: str, now: float) -> Standing:
        """How an address or a network stands."""
        row = self.shelf.rows.get(who)
        if row is None:
            return Standing(at=now)
        *deeds, at = row
        # A clock that was put back makes nobody worse.
        lives = max(0.0, now - at) / self.half_life
        bad, good = 0.5**lives, 0.5 ** (lives / _FAITH)
        refusals, unknown, viruses, known = deeds
        return Standing(refusals * bad, unknown * bad, viruses * bad, known * good, now)

    def count(self, deed: int, now: float, *who: str) -> None:
        """Write a deed down, for an address and for its network."""
        for key in who:
            row = list(self.standing(key, now).row())
            row[deed] += 1
            self.shelf.put(key, tuple(row))


@define
class Greylist:
    """
    Who comes for the first time, and who came back.

    A full shelf forgets, and whoever is forgotten comes for the first time:
    it never lets pass.

    @ivar delay: seconds; to come back sooner is too soon.
    @ivar window: seconds; to come back later is a first time.
    @ivar kept: seconds that who came back is remembered.
    @ivar enough: so many that came back let their network pass.
    """

    shelf: Shelf
    delay: float = 300.0
    window: float = 172_800.0
    kept: float = 3_024_000.0
    enough: int = 2

    def trusts(self, network: str, now: float) -> bool:
        """Whether a network came back often enough."""
        count, last = self.shelf.rows.get(network, (0.0, 0.0))
        return bool(count >= self.enough and now - last < self.kept)

    def wait(self, network: str, sender: str, recipient: str, now: float) -> float:
        """
        Somebody is here; 0 when he may pass, else the seconds to stay away.

        @param sender: the domain of the sender, or "".
        """
        key = f"{network} {sender} {recipient}"
        first, passed = self.shelf.rows.get(key, (0.0, 0.0))
        if passed and now - passed < self.kept:
            self.shelf.put(key, (first, now))
            return 0.0
        if not first or passed or not 0 <= now - first < self.window:
            self.shelf.put(key, (now, 0.0))
            return self.delay
        left: float = first + self.delay - now
        if left > 0:
            return left
        self.shelf.put(key, (first, now))
        count, _ = self.shelf.rows.get(network, (0.0, 0.0))
        self.shelf.put(network, (count + 1, now))
        return 0.0

    def forget(self, network: str) -> int:
        """Forget all of a network; how many rows that were."""
        keys = [k for k in self.shelf.rows if k.partition(" ")[0] == network]
        return sum(self.shelf.drop(key) for key in keys)
