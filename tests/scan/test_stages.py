"""Tests for L{smfd.scan.stages}: which stages the settings ask for."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smfd.config.load import read
from smfd.interfaces import IHands
from smfd.scan.content import ContentStage
from smfd.scan.locks import LocksStage, Thorough
from smfd.scan.stages import Scan, stages
from smfd.scan.virus import VirusStage
from smfd.store.directory import Directory

CLAMD = '[virus]\nengine = "clamd"\nclamd = ["tcp:127.0.0.1:9"]\n'


@implementer(IHands)
class _Hands:
    """Nobody asks clamd here."""

    def run(self, function: Any, *args: object) -> Deferred[Any]:
        """Never."""
        return Deferred()


class LocksTests(SynchronousTestCase):
    """Who looks for what is locked (R23)."""

    def build(self, text: str) -> Scan:
        """What these settings ask for."""
        clock: Any = Clock()
        config = read(
            '[server]\nhostname = "mx.home.example"\n' + text, Path("/x/smfd.toml")
        )
        directory = Directory(Path(self.mktemp()), clock)
        return stages(config, directory, _Hands(), clock)

    def test_clamd(self) -> None:
        """Behind clamd it is looked for, with the content or without."""
        scan = self.build(CLAMD)
        content = scan.stages["content"]
        assert isinstance(content, ContentStage)
        self.assertTrue(content.locks)
        for text in "", '[scan]\nstages = ["virus", "lists"]\n':
            scan = self.build(CLAMD + text)
            self.assertIsInstance(scan.stages["locks"], LocksStage)
            self.assertIsInstance(scan.virus, Thorough)
            # Locks are looked for by workers, whatever else is off.
            self.assertEqual(1, len(scan.services))

    def test_builtin(self) -> None:
        """The builtin engine says so itself."""
        scan = self.build('[virus]\nengine = "builtin"\n')
        content = scan.stages["content"]
        assert isinstance(content, ContentStage)
        self.assertFalse(content.locks)
        self.assertNotIn("locks", scan.stages)
        self.assertIsInstance(scan.virus, VirusStage)

    def test_no_scanner(self) -> None:
        """Where nobody looks for viruses, nobody does."""
        scan = self.build(CLAMD + '[scan]\nstages = ["lists", "content"]\n')
        self.assertEqual({"lists", "content"}, set(scan.stages))
        self.assertIs(None, scan.virus)
