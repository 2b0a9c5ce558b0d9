"""
What is written down once for many: a flood is the same thing again and again.

The first few are written one by one, as if there were no flood; those that
come behind them within a minute are counted, and what is written of them says
how many they were.
"""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

#: Seconds in which they are counted together.
WINDOW = 60.0

#: One by one, of one sender: so often nobody tries in a minute who does not flood.
EACH = 10

#: One by one, of one client, whoever the senders are: as many people as are
#: likely to be refused behind one address in a minute.
ALL = 100

#: Kinds that are counted at once, over all clients; of one more, the count
#: that was not touched for longest ends.
KINDS = 1000

#: What differs in texts that say the same: seconds, numbers, ids.
_VARYING = re.compile(r"id=\S+|\d+")

#: Writes down one, or so many of it.
Write = Callable[[int], object]


@define(eq=False)
class Kind:
    """
    One kind of thing of one client.

    @ivar begun: when the first of them came, by the clock.
    @ivar written: how many were written down alone, by sender.
    @ivar last: what the last one of these was called.
    @ivar rest: how many were only counted.
    @ivar write: writes down the first of the rest.
    """

    begun: float
    written: Counter[str] = field(factory=Counter)
    last: str = ""
    rest: int = 0
    write: Write | None = None

    def is_flood(self, sender: str) -> bool:
        """Whether one more of that sender is only counted."""
        return self.written[sender] >= EACH or self.written.total() >= ALL


class Repeats(Service):
    """Counts what repeats itself, and writes the counts when their time is over."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._kinds: OrderedDict[tuple[str, str], Kind] = OrderedDict()
        self._due: IDelayedCall | None = None

    def stopService(self) -> None:
        """Write all counts down."""
        super().stopService()
        if self._due is not None:
            self._due.cancel()
            self._due = None
        while self._kinds:
            self._end(next(iter(self._kinds)))

    def tell(self, client: str, what: str, sender: str, name: str, write: Write) -> str:
        """
        Write it down, or count it.

        @param what: the text that tells kinds apart; numbers in it do not.
        @param name: what it is called when it is written down alone.
        @param write: called with how many it stands for, now or later.
        @return: what to ask for who wants to know of it.
        """
        key = client, _VARYING.sub("", what)
        kind = self._kind(key)
        if not kind.is_flood(sender):
            kind.written[sender] += 1
            kind.last = name
            write(1)
            return name
        kind.rest += 1
        if kind.write is None:
            kind.write = write
        if self._due is None:
            self._due = self._clock.callLater(WINDOW, self._look)
        return kind.last

    def _kind(self, key: tuple[str, str]) -> Kind:
        kind, now = self._kinds.get(key), self._clock.seconds()
        if kind is not None and not 0 <= now - kind.begun < WINDOW:
            self._end(key)
            kind = None
        if kind is None:
            if len(self._kinds) >= KINDS:
                self._end(next(iter(self._kinds)))
            kind = self._kinds[key] = Kind(now)
        self._kinds.move_to_end(key)
        return kind

    def _end(self, key: tuple[str, str]) -> None:
        kind = self._kinds.pop(key)
        if kind.write is not None:
            try:
                kind.write(kind.rest)
            except Exception:
                self._log.failure("a count was not written down")

    def _look(self) -> None:
        self._due = None
        now = self._clock.seconds()
        for key, kind in tuple(self._kinds.items()):
            if not 0 <= now - kind.begun < WINDOW:
                self._end(key)
        begun = [kind.begun for kind in self._kinds.values() if kind.rest]
        if begun:
            wait = max(0.0, min(begun) + WINDOW - now)
            self._due = self._clock.callLater(wait, self._look)
