"""The mail log."""

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.store.maillog import MailLog, shown


class InlineClock(Clock):
    """A clock whose threads run at once."""

    def callInThread(self, f, *args):  # type: ignore[no-untyped-def]
        """Call it here."""
        f(*args)


class MailLogTests(SynchronousTestCase):
    """One event a line."""

    def setUp(self) -> None:
        """A log in a folder that is not there yet."""
        self.path = Path(self.mktemp()) / "log" / "mail.log"
        self.clock = InlineClock()
        self.log = MailLog(self.path, self.clock)  # type: ignore[arg-type]

    def test_line(self) -> None:
        """Time, id, and what is known; what is not known is left out."""
        self.log.line("01abc", client="192.0.2.1", helo="", score=0.0, to="<b@x>")
        self.clock.advance(1)
        self.assertEqual(
            "1970-01-01T00:00:00.000Z 01abc: client=192.0.2.1, score=0.0, to=<b@x>\n",
            self.path.read_text(),
        )

    def test_one_line_whatever_comes(self) -> None:
        """No value can start a line of its own (R60, R123)."""
        self.log.line("1", helo="a\r\nb\x1b[31m\u2028\x85\ud800")
        self.log.stopService()
        self.assertEqual(1, len(self.path.read_text().splitlines()))
        self.assertNotIn("\x1b", shown("\x1b"))

    def test_full_disk(self) -> None:
        """A log that cannot be written stops nothing."""
        self.path.parent.parent.mkdir()
        self.path.parent.write_text("a file where the folder should be")
        self.log.line("1", a="b")
        self.clock.advance(1)
