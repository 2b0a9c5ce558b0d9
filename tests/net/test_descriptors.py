"""Tests for L{smfd.net.descriptors}."""

import resource
import socket

from twisted.trial.unittest import SynchronousTestCase

from smfd.net import descriptors


class DescriptorTests(SynchronousTestCase):
    """As many as we may have, less what else needs one."""

    def test_raised(self) -> None:
        """The limit is at the most that the system allows."""
        self.assertEqual(descriptors.allowed(), descriptors.raise_limit())
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertEqual(soft, hard)

    def test_connections(self) -> None:
        """Some are left for files; of very few, half; there is always one."""
        self.assertEqual(768, descriptors.connections(1024))
        self.assertEqual(50, descriptors.connections(100))
        self.assertEqual(1, descriptors.connections(1))
        self.assertGreater(descriptors.connections(resource.RLIM_INFINITY), 1 << 20)


class PatientSocketTests(SynchronousTestCase):
    """R8: nobody is taken in who could not be served."""

    def setUp(self) -> None:
        """Somebody listens, and two wait."""
        self.listening = descriptors.PatientSocket()
        self.addCleanup(self.listening.close)
        self.listening.bind(("127.0.0.1", 0))
        self.listening.listen()
        self.listening.setblocking(False)
        self.why: list[str] = []
        self.listening.spent = self.why.append
        for _ in range(2):
            waiting = socket.create_connection(self.listening.getsockname(), 5)
            self.addCleanup(waiting.close)

    def test_none_left(self) -> None:
        """Without a descriptor it says so once, and asks the kernel no more."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with open("/dev/null", "rb") as last:
            lowest = last.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        try:
            for _ in range(3):
                self.assertRaises(BlockingIOError, self.listening.accept)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        self.assertEqual(["Too many open files"], self.why)
        self.assertRaises(BlockingIOError, self.listening.accept)
        self.listening.resting = False
        self.listening.accept()[0].close()

    def test_few_left(self) -> None:
        """The last ones are for files: it takes one connection and rests."""
        self.listening.keep(5)
        self.listening.accept()[0].close()
        self.assertEqual(1, len(self.why))
        self.assertRaises(BlockingIOError, self.listening.accept)
