"""The limit of a user over processes that are killed, and that share a Redis (R73)."""

import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import tests.system.spending
from tests.redis import RedisServer

_PROGRAM = tests.system.spending.__name__
_ROOT = Path(tests.system.spending.__file__).parents[2]


def begin(
    home: Path, most: int, turns: int, redis: str = ""
) -> "subprocess.Popen[str]":
    """Fifty connections that send as much as they may."""
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        [
            *(sys.executable, "-m", _PROGRAM),
            *(str(home.absolute()), str(most), "50", str(turns)),
            *((redis,) if redis else ()),
        ],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def granted(process: "subprocess.Popen[str]") -> int:
    """How many messages passed, when it has ended by itself."""
    out, _ = process.communicate(timeout=60)
    words = out.split()
    assert words[-1:] == ["done"], out[-500:]
    return words.count("granted")


class QuotaTests(SynchronousTestCase):
    """As many pass as may, whatever happens to who counts."""

    def test_killed(self) -> None:
        """Killed in the midst of it, again and again: no message too many."""
        home = Path(self.mktemp())
        home.mkdir()
        passed, most = 0, 700
        for _ in range(3):
            process = begin(home, most, 1000)
            assert process.stdout is not None
            for _ in range(200):
                self.assertEqual("granted\n", process.stdout.readline())
                passed += 1
            process.send_signal(signal.SIGKILL)
            out, _ = process.communicate(timeout=60)
            passed += out.split().count("granted")
        passed += granted(begin(home, most, 20))
        self.assertLessEqual(passed, most)
        # Those who were killed had at most one message each in their hands.
        self.assertGreaterEqual(passed, most - 3 * 50)

    def test_shared(self) -> None:
        """Two servers and one Redis: together what one may send, and no more."""
        if not RedisServer.installed():
            self.skipTest("redis-server is not installed")
        with RedisServer() as redis:
            homes = [Path(self.mktemp()) for _ in range(2)]
            both = [begin(home, 300, 10, redis.place) for home in homes]
            self.assertEqual(300, sum([granted(one) for one in both]))
            # After a restart they still know.
            again = [begin(home, 301, 10, redis.place) for home in homes]
            self.assertEqual(1, sum([granted(one) for one in again]))
