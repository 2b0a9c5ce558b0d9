"""Tests for L{smfd.store.secret}."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smfd.store.secret import LENGTH, secret
from tests.store.power import FailingPower


class SecretTests(SynchronousTestCase):
    """A secret of this home."""

    def test_made_once(self) -> None:
        """It is made when first wanted, for us alone, and stays."""
        path = Path(self.mktemp()) / "keys" / "srs"
        path.parent.parent.mkdir()
        made = secret(path)
        self.assertEqual((LENGTH, made), (len(made), secret(path)))
        self.assertEqual(0o600, path.stat().st_mode & 0o777)
        self.assertEqual(["srs"], os.listdir(path.parent))
        self.assertNotEqual(made, secret(path.with_name("other")))

    def test_damaged(self) -> None:
        """Half a secret is none: whoever cut it off is told."""
        path = Path(self.mktemp())
        path.write_bytes(b"short")
        self.assertRaises(OSError, secret, path)

    def test_power_cut(self) -> None:
        """Whenever the power goes it is whole or not there; once told, it stays."""
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        disk = FailingPower(home, Path(self.mktemp()).absolute())
        made = secret(home / "keys" / "srs", disk)
        for wreck in disk.found:
            wreck.cut()
            self.assertEqual(LENGTH, len(secret(wreck.home / "keys" / "srs")))
        self.assertEqual(made, secret(wreck.home / "keys" / "srs"))
