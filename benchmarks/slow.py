"""
C{python -m benchmarks.slow}: 20 good clients beside 1,000 slow ones.

A third of the slow say nothing, a third send an octet of a command every ten
seconds, a third an octet of a message.  Prints JSON.
"""

import json
import selectors
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from benchmarks.flood import GOOD, beside, house

#: Seconds between two octets.
_PAUSE = 10.0

_TRANSACTION = (
    b"EHLO slow.example\r\nMAIL FROM:<a@slow.example>\r\n"
    b"RCPT TO:<user@example.test>\r\nDATA\r\nSubject: slow\r\n\r\n"
)
_BEGINNINGS = (b"", b"N", _TRANSACTION)


class Crowd:
    """
    The slow.

    @ivar cut: how many were hung up on.
    """

    def __init__(self, port: int, count: int) -> None:
        """All of them connect, from many networks."""
        self.cut = 0
        self._selector = selectors.DefaultSelector()
        self._next = time.monotonic() + _PAUSE
        for n in range(count):
            one = socket.socket()
            one.bind((f"127.1.{n // 40}.1", 0))
            one.connect(("127.0.0.1", port))
            one.sendall(_BEGINNINGS[n % 3])
            one.setblocking(False)
            self._selector.register(one, selectors.EVENT_READ, n)

    def turn(self, load: object = None) -> None:
        """Whatever is due: an octet, or the end of somebody."""
        for key, _ in self._selector.select(0):
            self._hear(key.fileobj)
        if time.monotonic() >= self._next:
            self._next += _PAUSE
            for key in tuple(self._selector.get_map().values()):
                if key.data % 3:
                    with suppress(OSError):
                        key.fileobj.send(b"x")  # type: ignore[union-attr]

    def _hear(self, one: Any) -> None:
        try:
            if one.recv(4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.cut += 1
        self._selector.unregister(one)
        one.close()

    def close(self) -> None:
        """All go."""
        for key in tuple(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def __len__(self) -> int:
        """How many are left."""
        return len(self._selector.get_map())


def measure(count: int, slow: int, wait: bool = True) -> dict[str, Any]:
    """
    The good alone, beside the slow, and what became of the slow.

    @param wait: until all slow ones are cut, which takes five minutes.
    """
    made = house((GOOD,))
    try:
        alone, _ = beside(made, count)
        crowd = Crowd(made.port, slow)
        try:
            crowd.turn()
            found, _ = beside(made, count)
            crowd.turn()
            left = len(crowd)
            seconds = _cut(crowd) if wait else 0.0
        finally:
            crowd.close()
    finally:
        made.remove()
    slow_ones = {
        "connected": slow,
        "there_at_the_end": left,
        "cut": crowd.cut,
        "seconds": seconds,
    }
    return {"alone": alone, "beside": found, "slow": slow_ones}


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
    slow = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    print(json.dumps(measure(count, slow), indent=1))


if __name__ == "__main__":
    main()
