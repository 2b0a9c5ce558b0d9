"""
C{python -m benchmarks.slow}: 20 good clients beside 2,000 slow ones (R50).

A quarter of the slow say nothing, a quarter send an octet of a command every
ten seconds, a quarter an octet of a message, and a quarter begin TLS and never
go on.  Who is cut comes again ten seconds later, for five minutes.  There may
be a quarter more connections than the slow are: when all are taken, whoever
comes is told so at once.  Prints JSON.
"""

import json
import selectors
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from attrs import define, field

from benchmarks.flood import GOOD, beside, house
from benchmarks.load import Load

#: Seconds between two octets, and until one who was cut is back.
_PAUSE = 10.0

_HELLO = b"EHLO slow.example\r\n"
_TRANSACTION = _HELLO + (
    b"MAIL FROM:<a@slow.example>\r\n"
    b"RCPT TO:<user@example.test>\r\nDATA\r\nSubject: slow\r\n\r\n"
)
_BEGINNINGS = (b"", b"N", _TRANSACTION, _HELLO + b"STARTTLS\r\n")
_TRICKLING = (1, 2)


@define
class Crowd:
    """
    The slow.

    @ivar coming: whether those who are cut come again.
    @ivar came: how often somebody connected.
    @ivar away: how many were sent away at the door.
    @ivar cut: how many were hung up on later.
    @ivar longest: seconds that one of those was there, at the most.
    """

    port: int
    count: int
    coming: bool = True
    came: int = 0
    away: int = 0
    cut: int = 0
    longest: float = 0.0
    _selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    _octet: float = field(factory=lambda: time.monotonic() + _PAUSE)
    _back: list[tuple[float, int]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        for n in range(self.count):
            self._come(n)

    def __len__(self) -> int:
        """How many there are now."""
        return len(self._selector.get_map())

    def turn(self, load: object = None) -> None:
        """Whatever is due: an octet, the end of somebody, or his return."""
        now = time.monotonic()
        for key, _ in self._selector.select(0):
            self._hear(key, now)
        while self.coming and self._back and self._back[0][0] <= now:
            self._come(self._back.pop(0)[1])
        if now >= self._octet:
            self._octet += _PAUSE
            for key in tuple(self._selector.get_map().values()):
                if key.data[0] % 4 in _TRICKLING:
                    with suppress(OSError):
                        key.fileobj.send(b"x")  # type: ignore[union-attr]

    def close(self) -> None:
        """All go."""
        for key in tuple(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _come(self, n: int) -> None:
        """From one of many networks."""
        one = socket.socket()
        one.bind((f"127.1.{n // 40}.1", 0))
        one.connect(("127.0.0.1", self.port))
        one.sendall(_BEGINNINGS[n % 4])
        one.setblocking(False)
        self.came += 1
        self._selector.register(one, selectors.EVENT_READ, (n, time.monotonic()))

    def _hear(self, key: selectors.SelectorKey, now: float) -> None:
        one: Any = key.fileobj
        n, since = key.data
        try:
            said = one.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said and not said.startswith(b"421 "):
            return
        if said and now - since < 1.0:
            self.away += 1
        else:
            self.cut += 1
            self.longest = max(self.longest, now - since)
        self._selector.unregister(one)
        one.close()
        self._back.append((now + _PAUSE, n))


def measure(count: int, slow: int, seconds: float) -> dict[str, Any]:
    """
    The good alone, beside the slow for some time, and what became of the slow.

    @param count: messages of the good in each round.
    """
    made = house((GOOD,), connections=slow * 5 // 4)
    try:
        alone, _ = beside(made, count)
        crowd = Crowd(made.port, slow)
        try:
            found = _together(made, count, crowd, seconds)
            crowd.coming = False
            left, ended = len(crowd), _cut(crowd)
            never = len(crowd)
        finally:
            crowd.close()
    finally:
        made.remove()
    slow_ones = {
        "at_once": slow,
        "came": crowd.came,
        "sent_away": crowd.away,
        "cut": crowd.cut,
        "longest_there": round(crowd.longest, 1),
        "left_at_the_end": left,
        "seconds_until_all_were_cut": ended,
        "never_cut": never,
    }
    return {"alone": alone, "beside": found, "slow": slow_ones}


def _together(made: Any, count: int, crowd: Crowd, seconds: float) -> dict[str, Any]:
    """Rounds of the good, until the time is over; all of them as one."""
    end, total = time.monotonic() + seconds, Load()
    stall = 0.0
    while time.monotonic() < end:
        found, load = beside(made, count, crowd.turn)
        stall = max(stall, found["stall_ms"])
        total.accepted += load.accepted
        total.broken += load.broken
        total.refused += load.refused
        total.delays += load.delays
        total.seconds += load.seconds
        rest = time.monotonic() + min(2.0, seconds / 10)
        while time.monotonic() < rest:
            crowd.turn()
            time.sleep(0.02)
    return {
        "good": total.accepted,
        "refused": len(total.refused),
        "broken": total.broken,
        "good_a_second": round(total.accepted / max(total.seconds, 0.001), 1),
        "p50": round(total.delay(0.5), 4),
        "p99": round(total.delay(0.99), 4),
        "worst": round(total.delay(1.0), 4),
        "stall_ms": stall,
    }


def _cut(crowd: Crowd) -> float:
    """Seconds until all slow ones are cut; at most six minutes."""
    begun = time.monotonic()
    while len(crowd) and time.monotonic() - begun < 360:
        crowd.turn()
        time.sleep(0.05)
    return round(time.monotonic() - begun, 1)


def main() -> None:
    """As JSON."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    slow = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 300.0
    print(json.dumps(measure(count, slow, seconds), indent=1))


if __name__ == "__main__":
    main()
