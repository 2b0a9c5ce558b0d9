"""Threads of one's own."""

import threading

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from smfd.store.threads import Closed, Threads


class ThreadsTests(TestCase):
    """What blocks is done elsewhere, in order, and ended with its owner."""

    def setUp(self) -> None:
        """One thread."""
        self.threads = Threads(reactor, "a-name")  # type: ignore[arg-type]
        self.addCleanup(self.threads.stop)

    async def test_run(self) -> None:
        """It runs in a thread of that name, not in the reactor's."""
        self.threads.start()
        name = await self.threads.run(lambda: threading.current_thread().name)
        self.assertIn("a-name", name)

    async def test_closed(self) -> None:
        """Before the start and after the end nothing is done."""
        await self.assertFailure(self.threads.run(int), Closed)
        self.threads.start()
        self.threads.stop()
        await self.assertFailure(self.threads.run(int), Closed)

    async def test_stop_finishes(self) -> None:
        """What was asked is done before the end, all of it, in order."""
        self.threads.start()
        done: list[int] = []
        asked = [self.threads.run(done.append, n) for n in range(20)]
        self.threads.stop()
        self.assertEqual(list(range(20)), done)
        for d in asked:
            await d
