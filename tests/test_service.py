"""What is switched off is said; what keeps us from starting is said in a sentence."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smfd.config.load import load, read
from smfd.control.deliverability import Deliverability
from smfd.control.facts import facts, unprotected
from smfd.ctl.foundation import Foundation
from smfd.delivery.onward import Onward
from smfd.net.hangup import read_again
from smfd.proto.reply import reply
from smfd.service import make_service
from tests.config.test_load import faults
from tests.control.test_deliverability import attempt
from tests.store.making import REACTOR
from tests.test_tap import twistd


def off(text: str) -> tuple[str, ...]:
    """What the settings of a text leave off."""
    return unprotected(read(text, Path("smfd.toml")))


class OffTests(SynchronousTestCase):
    """Everything protective that is off, a sentence each."""

    def test_nothing(self) -> None:
        """As shipped, with DNS, nothing is off."""
        self.assertEqual((), off(""))

    def test_stages(self) -> None:
        """Each stage that is left out is named; the virus stage elsewhere."""
        said = off('[scan]\nstages = ["virus", "lists", "dkim", "identity"]\n')
        self.assertEqual(
            (
                "The content stage is off.",
                "The dmarc stage is off.",
                "The spf stage is off.",
            ),
            said,
        )

    def test_source(self) -> None:
        """Each test of the source that is off; greylisting is a choice."""
        said = off('[source.forged]\nmode = "off"\n[source.early]\nmode = "observe"\n')
        self.assertEqual(("The source test forged is off.",), said)

    def test_doors(self) -> None:
        """No DNS and no TLS are said too."""
        said = off('[dns]\noffline = true\n[tls]\ncertificate = ""\nkey = ""\n')
        self.assertEqual(
            ["DNS is off", "STARTTLS is off", "Submission is closed"],
            [s[: s.index(":")] for s in said],
        )


class OpenTests(SynchronousTestCase):
    """What C{smfdctl dns} may tell mail programs of."""

    def test_services(self) -> None:
        """Doors that are open to others, at their ports, and IMAP where it is said."""
        host, none = "mx.home.example", "listen = []\nlisten_tls = []\n"
        for text, expected in (
            ("", [("submissions", host, 465), ("submission", host, 587)]),
            (f"[submission]\n{none}", []),
            (
                '[submission]\nlisten = ["127.0.0.1:587", "[::]:5870"]\n'
                'listen_tls = ["127.0.0.1:465", "[::1]:4650"]\n',
                [("submission", host, 5870)],
            ),
            (
                '[submission]\nlisten = ["192.0.2.1:2587", "192.0.2.1:587"]\n'
                'listen_tls = ["systemd:submissions"]\n',
                [("submissions", host, 465), ("submission", host, 587)],
            ),
            ('[tls]\ncertificate = ""\nkey = ""\n', []),
            (
                f'imap = "IMAP.far.example."\n[submission]\n{none}',
                [("imaps", "imap.far.example", 993)],
            ),
            (
                f'imap = "imap.far.example:9993"\n[submission]\n{none}',
                [("imaps", "imap.far.example", 9993)],
            ),
        ):
            server = f'[server]\nhostname = "{host}"\n'
            found = facts(read(server + text, Path("smfd.toml")), "").services
            said = [(one.name, one.host, one.port) for one in found]
            self.assertEqual(expected, said, text)

    def test_imap(self) -> None:
        """IMAP is somewhere by name: an address stands in no SRV record."""
        for text in "192.0.2.1", "imap.far.example:0", "imap:", ":993", "a b":
            (fault,) = faults(f'[server]\nimap = "{text}"\n')
            self.assertEqual("server.imap", fault.key)


class StartTests(SynchronousTestCase):
    """A home with something wrong in it."""

    def setUp(self) -> None:
        """A new home for each."""
        self.home = Path(self.mktemp()).absolute()
        made = Foundation(self.home, "mx.example.test", ["example.test"], {}, "x", 1)
        made.lay()
        self.addCleanup(shutil.rmtree, self.home)
        self.config = made.config
        text = self.config.read_text().replace("127.0.0.1:26", "127.0.0.1:0")
        self.config.write_text(text)

    def fails(self, words: str) -> None:
        """It does not start, and the last line it says has these words."""
        ran = twistd("-n", "--pidfile=", "smfd", "--config", str(self.config))
        said = ran.stdout + ran.stderr
        # twistd logs what is said on standard error.
        said = said.replace("[stderr#error] smfd: ", "\nsmfd: ")
        self.assertEqual(1, ran.returncode, said)
        self.assertNotIn("Traceback", said)
        (line,) = [line for line in said.splitlines() if line.startswith("smfd: ")]
        self.assertIn(words, line)

    def test_certificate(self) -> None:
        """A certificate that is no certificate."""
        (self.home / "tls" / "cert.pem").write_text("hello")
        self.fails(f"cannot use the certificate {self.home}/tls/cert.pem")

    def test_no_certificate(self) -> None:
        """One that is not there."""
        (self.home / "tls" / "key.pem").unlink()
        self.fails("tls/key.pem: No such file or directory")

    def test_directory(self) -> None:
        """A directory that is no database."""
        (self.home / "directory.db").write_bytes(b"x" * 8192)
        self.fails(f"cannot start: {self.home}/directory.db: file is not a database")

    def test_no_directory(self) -> None:
        """Without one all mail would be refused for good: no start."""
        (self.home / "directory.db").unlink()
        self.fails(f"{self.home}/directory.db is missing")
        self.assertFalse((self.home / "directory.db").exists())

    def test_later_directory(self) -> None:
        """A directory of a later smfd."""
        with sqlite3.connect(self.home / "directory.db") as made:
            made.execute("PRAGMA user_version=99")
        made.close()
        self.fails("has version 99")

    def test_port(self) -> None:
        """A port that is not ours to have."""
        text = self.config.read_text().replace("127.0.0.1:0", "192.0.2.1:2525")
        self.config.write_text(text)
        self.fails("cannot listen on 192.0.2.1:2525")

    def test_threshold(self) -> None:
        """The threshold of the settings reaches who decides and who shows it."""
        from smfd.scan.stages import policy

        self.config.write_text(
            self.config.read_text() + "\n[content]\nthreshold = 7.5\n"
        )
        self.assertEqual(7.5, policy(load(self.config)).threshold)

    def test_reload_without_tls(self) -> None:
        """SIGHUP does no harm where there is no certificate."""
        read_again(None)


class EndTests(TestCase):
    """What is found out while all ends."""

    timeout = 60

    async def test_last_try(self) -> None:
        """What became of the last message is counted, and kept (S26)."""
        home = Path(self.mktemp()).absolute()
        made = Foundation(home, "mx.example.test", ["example.test"], {}, "x", 1)
        made.lay()
        text = made.config.read_text().replace("127.0.0.1:26", "127.0.0.1:0")
        made.config.write_text(text)
        root: Any = make_service(load(made.config), REACTOR)
        root.startService()
        onward = next(one for one in root if isinstance(one, Onward))
        ours = next(one for one in root if isinstance(one, Deliverability))
        stop = onward.stopService

        async def late() -> None:
            await deferLater(REACTOR, 0.3)
            for answer in reply(250, "2.0.0", "ok"), reply(550, "5.1.1", "unknown"):
                ours.note(attempt(answer, at=REACTOR.seconds()))
            await stop()

        self.patch(onward, "stopService", lambda: Deferred.fromCoroutine(late()))
        await root.stopService()
        with closing(sqlite3.connect(home / "reputation.db")) as kept:
            found = kept.execute("SELECT sum(number) FROM counts").fetchall()
            unknown = kept.execute("SELECT recipient FROM suppressed").fetchall()
        self.assertEqual([(2,)], found)
        self.assertEqual([("bob@example.net",)], unknown)
