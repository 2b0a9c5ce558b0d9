"""Tests for L{smfd.net.descriptors}."""

import resource

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
