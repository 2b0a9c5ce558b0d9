"""twistd finds smfd, and tells what is wrong with its settings."""

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import smfd

ROOT = Path(smfd.__file__).parents[1]


def twistd(*words: str) -> subprocess.CompletedProcess[str]:
    """Run twistd as a person would."""
    return subprocess.run(
        [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )


class PluginTests(SynchronousTestCase):
    """The plug-in."""

    def test_found(self) -> None:
        """It is in twistd's list, with its sentence."""
        self.assertIn("The Secure Mail Flow daemon.", twistd("--help").stdout)

    def test_options(self) -> None:
        """It takes --config."""
        self.assertIn("--config=", twistd("smfd", "--help").stdout)

    def test_settings(self) -> None:
        """Unusable settings: every fault with its line, no traceback, not 0."""
        path = Path(self.mktemp())
        path.write_text("[mx]\nrecipents = 1\n[virus]\nengine = 'x'\n")
        ran = twistd("-n", "--pidfile=", "smfd", "--config", str(path))
        self.assertNotEqual(0, ran.returncode)
        self.assertIn(f"{path}:2: mx.recipents: ", ran.stderr)
        self.assertIn(f"{path}:4: virus.engine: ", ran.stderr)
        self.assertNotIn("Traceback", ran.stdout + ran.stderr)
