"""Tests for L{smfd.ctl.scan}: a message in a file, judged without a daemon."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smfd.config.shipped import shipped
from smfd.content.rules.compile import load_rules
from smfd.content.specimen import test_virus as eicar

PLAIN = (
    b"Return-Path: <ann@sender.test>\nFrom: Ann <ann@sender.test>\n"
    b"To: bob@example.test\nSubject: lunch\n"
    b"Date: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <1@sender.test>\n\n"
)
#: The test string that every spam filter knows, in two pieces.
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*" + b"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


@cache
def _compiled() -> Path:
    """Our rules as smfd keeps them: a second of processor time for each run."""
    folder = Path("compiled").absolute()
    folder.mkdir()
    load_rules(str(shipped("rules.d")), compiled=folder)
    return folder


class ScanTests(SynchronousTestCase):
    """What smfdctl scan says of a file."""

    def run_scan(self, data: bytes, *words: str, settings: str = "") -> tuple[int, str]:
        """Exit code and output for a message in a file."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(mode=0o700)
        (folder / "m.eml").write_bytes(data)
        (folder / "compiled").symlink_to(_compiled())
        config = folder / "smfd.toml"
        if settings:
            config.write_text(settings)
        command = ("--config", str(config), "scan", str(folder / "m.eml"), *words)
        program = "from smfd.ctl import main; main()"
        ran = subprocess.run(
            [sys.executable, "-c", program, *command],
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertNotIn("Traceback", ran.stdout + ran.stderr)
        self.left = sorted(path.name for path in folder.iterdir())
        return ran.returncode, ran.stdout + ran.stderr

    def scan(self, data: bytes, settings: str = "") -> dict[str, Any]:
        """The document of C{--json}."""
        code, said = self.run_scan(data, "--json", settings=settings)
        self.assertEqual(0, code, said)
        document: dict[str, Any] = json.loads(said)
        return document

    def test_clean(self) -> None:
        """A clean message, LF as files have it; the document is the contract's."""
        found = self.scan(PLAIN + b"See you at noon.\n")
        self.assertLessEqual({"verdict", "score", "threshold", "findings"}, set(found))
        self.assertEqual(("clean", 5.0), (found["verdict"], found["threshold"]))
        self.assertLess(found["score"], 5.0)
        for finding in found["findings"]:
            self.assertLessEqual(
                {"stage", "symbol", "score", "reason", "ms"}, set(finding)
            )
        stages = {finding["stage"] for finding in found["findings"]}
        self.assertIn("virus", stages)
        # Without --dns nobody is asked.
        self.assertEqual(set(), stages & {"spf", "dkim", "dmarc", "lists"})
        # And nothing is left behind.
        self.assertEqual(["compiled", "m.eml"], self.left)

    def test_spam(self) -> None:
        """The test spam, and a threshold that the settings name."""
        found = self.scan(PLAIN + GTUBE + b"\n")
        self.assertEqual("spam", found["verdict"])
        self.assertIn("GTUBE", {finding["symbol"] for finding in found["findings"]})
        settings = "[scores]\nGTUBE = 4.0\n[content]\nthreshold = "
        for threshold, verdict in ((4.0, "spam"), (4.1, "clean")):
            found = self.scan(PLAIN + GTUBE + b"\n", f"{settings}{threshold}\n")
            self.assertEqual(
                (verdict, threshold), (found["verdict"], found["threshold"])
            )

    def test_virus(self) -> None:
        """The test virus ends the matter: no other stage looks."""
        found = self.scan(PLAIN + eicar() + b"\n")
        self.assertEqual("virus", found["verdict"])
        self.assertEqual({"virus"}, {finding["stage"] for finding in found["findings"]})

    def test_mbox(self) -> None:
        """A message cut from an mbox has a line before its header."""
        found = self.scan(b"From ann@sender.test Sat Nov 21 12:00:00 2026\n" + PLAIN)
        bare = self.scan(PLAIN)
        symbols = [[f["symbol"] for f in one["findings"]] for one in (found, bare)]
        self.assertEqual(symbols[1], symbols[0])

    def test_text(self) -> None:
        """For people: the verdict first, then a line for each finding."""
        code, said = self.run_scan(PLAIN + GTUBE + b"\n")
        self.assertEqual(0, code)
        self.assertTrue(said.startswith("spam: score "), said)
        self.assertIn("VIRUS_CLEAN", said)

    def test_hostile(self) -> None:
        """Octets that are no message are judged all the same."""
        for data in (b"", b"\0\r\r\n\xff" * 100, b":" * 5000):
            self.assertIn("verdict", self.scan(data))

    def test_settings(self) -> None:
        """Settings that cannot be used are named, with their line."""
        code, said = self.run_scan(PLAIN, settings="[mx]\nx = 1\n")
        self.assertEqual(1, code)
        self.assertIn(":2: mx.x:", said)

    def test_many_lines(self) -> None:
        """A large file of nothing but line ends takes neither 10 s nor 512 MB."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(mode=0o700)
        (folder / "m.eml").write_bytes(b"a\n" * 15_000_000)
        program = (
            "import atexit, resource, sys\n"
            # Not RUSAGE_SELF: that has the peak of whoever forked us, too.
            "def say():\n"
            "    own = open('/proc/self/status').read().partition('VmHWM:')[2]\n"
            "    theirs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
            "    print(own.split()[0], theirs, file=sys.stderr)\n"
            "atexit.register(say)\n"
            "from smfd.ctl import main; main()"
        )
        config = ("--config", str(folder / "smfd.toml"))
        ran = subprocess.run(
            [sys.executable, "-c", program, *config, "scan", folder / "m.eml"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(0, ran.returncode, ran.stdout)
        kilobytes = sum(map(int, ran.stderr.split()[-2:]))
        self.assertLess(kilobytes, 512 * 1024)
