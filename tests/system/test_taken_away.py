"""Somebody takes the home away under a running daemon."""

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import House
from tests.system.test_road import OFFLINE, plain


class TakenAwayTests(SynchronousTestCase):
    """No mail is accepted into a file that nobody will ever read."""

    def test_ledger_deleted(self) -> None:
        """Mail is deferred, status and log say why, and the end is clean."""
        house = House(settings=OFFLINE)
        self.addCleanup(house.remove)
        house.start()
        self.assertEqual(250, house.send(plain(b"before"))[0])
        (house.home / "ledger.db").unlink()
        code, text = house.send(plain(b"behind"))
        self.assertEqual(451, code, text)
        warnings = " ".join(house.ctl("status")["warnings"])
        self.assertIn("ledger.db was moved, deleted or replaced", warnings)
        house.stop()
        self.assertIn("the ledger takes nothing more", house.log.read_text())
