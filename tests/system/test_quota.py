"""The limit of a user over processes that are killed, and that share a Redis (R73)."""

import signal
import smtplib
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import tests.system.spending
from tests.redis import RedisServer
from tests.system.house import House, believing

_PROGRAM = tests.system.spending.__name__
ANN, BOB = "ann@example.test", "bob@example.test"
LETTER = f"From: {ANN}\r\nTo: {BOB}\r\nSubject: Hello\r\n\r\nHi.\r\n"
_SETTINGS = """
[virus]
engine = "builtin"
[quota]
connections = 0
rate = 0
messages = 60
"""
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
            # How many more it grants until the signal is there is chance: the last
            # may find less than that left.
            said = [process.stdout.readline() for _ in range(200)]
            passed += said.count("granted\n")
            process.send_signal(signal.SIGKILL)
            out, _ = process.communicate(timeout=60)
            passed += out.split().count("granted")
        passed += granted(begin(home, most, 20))
        self.assertLessEqual(passed, most)
        # Those who were killed had at most one message each in their hands.
        self.assertGreaterEqual(passed, most - 3 * 50)

    def test_shared(self) -> None:
        """Two servers and one Redis: together what one may send, and no more."""
        with RedisServer() as redis:
            homes = [Path(self.mktemp()) for _ in range(2)]
            both = [begin(home, 300, 10, redis.place) for home in homes]
            self.assertEqual(300, sum([granted(one) for one in both]))
            # After a restart they still know.
            again = [begin(home, 301, 10, redis.place) for home in homes]
            self.assertEqual(1, sum([granted(one) for one in again]))


def at_once(houses: Sequence[House], connections: int) -> list[int]:
    """One message on each of so many connections to each house; the answers."""
    clients = []
    for house in houses:
        for _ in range(connections):
            client = smtplib.SMTP("127.0.0.1", house.base + 587, "client.test", 30)
            client.starttls(context=believing())
            client.login(ANN, house.made["users"][ANN])
            clients.append(client)

    def send(client: smtplib.SMTP) -> int:
        try:
            client.sendmail(ANN, [BOB], LETTER)
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code
        finally:
            client.close()
        return 250

    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(send, clients))


class ServerTests(SynchronousTestCase):
    """The whole server, as a user's client meets it."""

    def house(self, settings: str = "") -> House:
        """A server of its own."""
        house = House((ANN, BOB), _SETTINGS + settings)
        self.addCleanup(house.remove)
        house.start()
        return house

    def test_killed(self) -> None:
        """Fifty at once, a kill, fifty again: sixty pass, ninety-nine do not."""
        house = self.house()
        self.assertEqual([250] * 50, at_once([house], 50))
        house.kill()
        house.start()
        answers = at_once([house], 50)
        self.assertEqual((10, 40), (answers.count(250), answers.count(450)))
        house.until(lambda: len(house.mailbox(BOB)) == 60)
        found = house.ctl("user", "limits", ANN)
        self.assertEqual(
            (60, 60), (found["limits"]["messages"], found["used"]["messages"])
        )
        record = house.ctl("trace", "search", "--sender", ANN, "--verdict", "deferred")
        self.assertTrue(record["items"])

    def test_shared(self) -> None:
        """Two servers with one Redis: together sixty."""
        with RedisServer() as redis:
            settings = f'[quota.redis]\nserver = "{redis.place}"\ntimeout = 5.0\n'
            both = [self.house(settings), self.house(settings)]
            answers = at_once(both, 40)
            self.assertEqual((60, 20), (answers.count(250), answers.count(450)))
            redis.kill()
            # Each had its share already, or sends the rest of it.
            answers = at_once(both, 5)
            self.assertLessEqual(answers.count(250), 10)
            self.assertLessEqual(set(answers), {250, 450})

    def test_held(self) -> None:
        """A thief is held: 250 for all, nothing leaves; then it was none after all."""
        house = self.house()
        house.ctl("user", "limits", ANN, "hold_new_recipients=2")
        word = house.made["users"][ANN]
        with smtplib.SMTP("127.0.0.1", house.base + 587, "client.test", 30) as client:
            client.starttls(context=believing())
            client.login(ANN, word)
            client.sendmail(ANN, [BOB], LETTER)
            house.until(lambda: len(house.mailbox(BOB)) == 1)
            for number in range(3):
                to = [BOB, f"x{number}@elsewhere.test"]
                self.assertEqual({}, client.sendmail(ANN, to, LETTER))
        house.until(lambda: house.ctl("user", "held", "show", ANN)["held"] == 6)
        (hold,) = house.ctl("user", "held", "list")["items"]
        self.assertEqual((ANN, "smfd"), (hold["address"], hold["actor"]))
        page = house.ctl("quarantine", "list", "--class", "held")
        self.assertEqual(6, page["total"])
        warnings = house.ctl("status")["warnings"]
        self.assertTrue(any(f"All mail of {ANN} is held" in one for one in warnings))
        self.assertEqual(1, len(house.mailbox(BOB)))
        done = house.ctl("user", "held", "release", ANN, "--reason", "a party")
        self.assertEqual((6, 0), (done["done"], done["left"]))
        house.until(lambda: len(house.mailbox(BOB)) == 4)
        self.assertEqual([], house.ctl("user", "held", "list")["items"])
