"""The mail log."""

import os
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.store.maillog import KEPT, PATIENCE, MailLog, shown


class MailLogTests(SynchronousTestCase):
    """One event a line."""

    def setUp(self) -> None:
        """A log in a folder that is not there yet."""
        self.path = Path(self.mktemp()) / "log" / "mail.log"
        self.log = MailLog(self.path, Clock())  # type: ignore[arg-type]

    def test_line(self) -> None:
        """Time, id, and what is known; what is not known is left out."""
        self.log.line("01abc", client="192.0.2.1", helo="", score=0.0, to="<b@x>")
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
        self.log.line("2", to='<"x, status=sent"@evil.example>', status="deferred")
        self.assertEqual(1, self.path.read_text().count(", status="))

    def test_full_disk(self) -> None:
        """A log that cannot be written stops nothing."""
        self.path.parent.parent.mkdir()
        self.path.parent.write_text("a file where the folder should be")
        self.log.line("1", a="b")
        self.assertEqual(1, self.log.dropped)


class ThreadTests(TestCase):
    """A disk that hangs, as a pipe that nobody reads from."""

    def setUp(self) -> None:
        """A running log, whose file is such a pipe."""
        self.path = Path(self.mktemp())
        os.mkfifo(self.path)
        self.log = MailLog(self.path, reactor)  # type: ignore[arg-type]
        self.log.startService()
        self.addCleanup(self._end)

    def _end(self) -> None:
        """Somebody reads at last, so that nothing is left hanging."""
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.log.stopService()
        os.close(reader)

    async def names(self) -> list[str]:
        """The names in the batch that is written next, or just now."""
        text = await deferToThread(self.path.read_text)
        return [line.split()[1].rstrip(":") for line in text.splitlines()]

    async def test_slow_disk(self) -> None:
        """
        The newest lines wait, so many and no more; they come in their order,
        and nobody is held up.
        """
        self.log.line("first", a=1)
        for number in range(KEPT + 5):
            if number in (0, KEPT):
                await deferLater(reactor, PATIENCE * 2)
            self.log.line(f"n{number}", a=1)
        self.assertEqual(5, self.log.dropped)
        self.assertEqual(["first"], await self.names())
        wanted = [f"n{number}" for number in range(5, KEPT + 5)]
        self.assertEqual(wanted, await self.names())
