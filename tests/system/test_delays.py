"""How long a sender waits for the reply to his message (R12)."""

import time
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import House
from tests.system.talk import Talk
from tests.system.test_scanner_faults import HEAD, SETTINGS, FakeClamd

#: A second, for so many seconds, with a scanner that takes so long.
RATE, SECONDS, SCAN = 20, 3.0, 0.2


class DelayTests(SynchronousTestCase):
    """From the dot to the reply."""

    def serve(self, settings: str = "") -> tuple[House, FakeClamd]:
        """A house with a scanner."""
        clamd = FakeClamd()
        self.addCleanup(clamd.remove)
        clamd.open()
        house = House(settings=SETTINGS % clamd.path + settings)
        self.addCleanup(house.remove)
        house.start()
        return house, clamd

    def delay(self, house: House, number: int = 0) -> tuple[float, bytes]:
        """Seconds that the reply to a message took, and the reply."""
        with Talk(house.port) as talk:
            talk.envelope()
            self.assertEqual(354, talk.code(b"DATA"))
            begun = time.monotonic()
            talk.send(HEAD % b"%d" % number + b"Hello.\r\n.\r\n")
            said = talk.reply()
            return time.monotonic() - begun, said

    def test_load(self) -> None:
        """
        Twenty a second and a scanner of 200 ms: nobody waits for all before him.

        One scan after the other would keep the last for nine seconds.  How long
        they do wait depends on the machine; that they are scanned side by side
        does not.
        """
        house, clamd = self.serve()
        clamd.pause = SCAN
        begun = time.monotonic()

        def one(number: int) -> tuple[float, bytes]:
            time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
            return self.delay(house, number)

        count = int(RATE * SECONDS)
        with ThreadPoolExecutor(RATE) as pool:
            found = sorted(pool.map(one, range(count)))
        self.assertEqual([], [said for _, said in found if said[:3] != b"250"])
        self.assertGreater(found[0][0], SCAN * 0.9)
        self.assertGreaterEqual(clamd.most, RATE * SCAN)

    def test_hard_stop(self) -> None:
        """Whatever hangs, the sender is told to come again after the total."""
        limits = "[limits]\nscan_wait = 0.5\n"
        house, clamd = self.serve(f"[scan]\ntotal = 0.5\ndeadline = 20\n{limits}")
        self.assertEqual(b"250", self.delay(house)[1][:3])
        clamd.fault = lambda connection: time.sleep(5)
        taken, said = self.delay(house)
        self.assertEqual(b"451 4.7.1", said[:9])
        # The scanner's own deadline is three times as long.
        self.assertLess(taken, 1.4)
