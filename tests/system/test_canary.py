"""What people type to log in is nowhere afterwards, whatever went wrong (R77)."""

import contextlib
import json
import smtplib
import socket
import sqlite3
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.system.house import BIN, House, believing
from tests.system.talk import Talk
from tests.system.test_submission import ANN, BOB, LETTER

#: Every Deferred remembers where it was made, and failures the values of names.
_DEBUGGED = """
import runpy, sys
from twisted.internet import defer
defer.setDebugging(True)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

CHANGED = "canary-changed-4wq8"


def coded(text: str) -> str:
    """As AUTH has it."""
    return b64encode(text.encode()).decode()


def blobs(user: str, word: str) -> set[str]:
    """A password, and what a client makes of it."""
    return {
        word,
        coded(word),
        coded(f"\0{user}\0{word}"),
        coded(f"{user}\0{user}\0{word}"),
    }


class CanaryTests(SynchronousTestCase):
    """A server that says all it can, and people who mistype whatever they can."""

    def setUp(self) -> None:
        """Start it, as a developer would."""
        settings = '[virus]\nengine = "builtin"\n[login]\nguesses = 100\n'
        self.house = House((ANN, BOB), settings)
        self.addCleanup(self.house.remove)
        debugged = self.house.folder / "debugged.py"
        debugged.write_text(_DEBUGGED)
        self.house.start((sys.executable, "-X", "dev", str(debugged)))
        self.word = self.house.made["users"][ANN]
        self.secrets = blobs(ANN, self.word) | blobs(BOB, self.house.made["users"][BOB])

    def secret(self, number: int, user: str = ANN) -> str:
        """A password that is looked for afterwards."""
        word = f"canary-{number}-x7q9"
        self.secrets |= blobs(user, word)
        return word

    @contextlib.contextmanager
    def client(self, user: str, password: str) -> Iterator[smtplib.SMTP]:
        """Somebody who logs in by STARTTLS."""
        port = self.house.base + 587
        with smtplib.SMTP("127.0.0.1", port, "client.test", 20) as client:
            client.starttls(context=believing())
            client.login(user, password)
            yield client

    def refused(self, user: str, password: str) -> int:
        """The code that somebody gets who must not get in."""
        try:
            with self.client(user, password):
                self.fail("he got in")
        except smtplib.SMTPAuthenticationError as no:
            return no.smtp_code
        except smtplib.SMTPException:
            return 0

    def by_hand(self, port: int, *lines: str) -> None:
        """Say these, whatever is answered; under TLS at port 465."""
        plain = socket.create_connection(("127.0.0.1", self.house.base + port), 20)
        wrapped = believing().wrap_socket(plain) if port == 465 else plain
        with contextlib.suppress(OSError), Talk.over(wrapped) as talk:
            for line in lines:
                talk.ask(line.encode())

    def test_nowhere(self) -> None:
        """It is in no file, log, record, answer, argument or environment."""
        self.people_come()
        self.people_mistype()
        self.we_break()
        self.passwords_change()
        answers = self.asked()
        self.assertIn("Traceback", self.house.log.read_text())
        self.assertIn("no such table", self.house.log.read_text())
        self.assertIn(f"login=wrong, sasl_username={ANN}", answers + self.mail_log())
        shown = [place for place, text in self.processes() if self.told(text)]
        self.assertEqual([], shown)
        self.assertEqual(set(), self.told(answers))
        self.assertEqual([], self.files())
        self.house.stop()
        self.assertEqual([], self.files())

    def people_come(self) -> None:
        """By each way, with the right words."""
        made = self.house.ctl("user", "app-password", "add", ANN, "phone")
        self.secrets |= blobs(ANN, made["password"])
        for word in self.word, made["password"]:
            with self.client(ANN, word) as client:
                client.sendmail(ANN, [BOB, "zoe@far.test"], LETTER)
        plain, login = coded(f"\0{ANN}\0{self.word}"), coded(self.word)
        self.by_hand(465, f"AUTH PLAIN {plain}")
        self.by_hand(465, "AUTH LOGIN", coded(ANN), login)
        self.house.until(lambda: len(self.house.mailbox(BOB)) == 2)

    def people_mistype(self) -> None:
        """In each field, at each door, and where nobody asked."""
        self.refused(ANN, self.secret(1))
        self.refused(word := self.secret(2), word)
        self.refused(f"{self.secret(3)}@far.test", "x")
        self.refused("zoe@example.test", self.secret(4, "zoe@example.test"))
        word = self.secret(5)
        blob, another = coded(f"\0{ANN}\0{word}"), coded(f"{BOB}\0{ANN}\0{word}")
        self.secrets.add(another)
        for port in 25, 587, 465:
            self.by_hand(port, f"AUTH PLAIN {blob}", blob, word, f"HELO {word}!")
            self.by_hand(port, "AUTH LOGIN", coded(ANN), coded(word), word)
            self.by_hand(port, f"AUTH LOGIN {coded(word)}", coded(word))
            self.by_hand(port, f"AUTH PLAIN {blob[:-3]}", f"AUTH PLAIN {blob} x", word)
            self.by_hand(
                port, f"AUTH PLAIN {coded(f'{BOB}{chr(0)}{ANN}{chr(0)}{word}')}"
            )
            self.by_hand(port, f"AUTH {word}", f"AUTH PLAIN {blob * 200}")

    def we_break(self) -> None:
        """The directory cannot be read in the midst of a login."""
        path = self.house.home / "directory.db"
        with contextlib.closing(sqlite3.connect(path, timeout=20)) as directory:
            directory.execute("ALTER TABLE app_passwords RENAME TO away")
            # Of whom there is one more must be read again.
            self.house.ctl("user", "add", "new@example.test")
            self.assertLess(self.refused(ANN, self.secret(6)), 500)
            self.assertLess(self.refused(ANN, self.word), 500)
            directory.execute("ALTER TABLE away RENAME TO app_passwords")

    def passwords_change(self) -> None:
        """By the command, which reads it from a pipe."""
        self.secrets |= blobs(ANN, CHANGED)
        done = subprocess.run(
            [BIN / "smfdctl", "--config", self.house.config, "user", "password", ANN],
            input=CHANGED.encode() + b"\n",
            capture_output=True,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        with self.client(ANN, CHANGED):
            pass
        self.house.ctl("user", "app-password", "remove", ANN, "phone")

    def asked(self) -> str:
        """All that smfdctl can be asked about it."""
        found = self.house.ctl("trace", "search", "--limit", "500")
        questions = [
            *(("trace", "show", one["id"]) for one in found["items"][:12]),
            ("user", "show", ANN),
            ("user", "list"),
            ("user", "app-password", "list", ANN),
            ("user", "limits", ANN),
            ("audit",),
            ("status",),
            ("quarantine", "list"),
        ]
        self.assertGreater(len(questions), 15)
        answers = [found, *(self.house.ctl(*words) for words in questions)]
        return "\n".join(json.dumps(answer) for answer in answers)

    def processes(self) -> Iterator[tuple[str, str]]:
        """What anybody may see of the server's processes, and what only root may."""
        seen = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                session = int(stat.read_text().rpartition(")")[2].split()[3])
                if session != self.house.pid:
                    continue
                seen += 1
                for name in "cmdline", "environ", "comm":
                    place = stat.with_name(name)
                    yield f"{place}", place.read_text(errors="replace")
        self.assertGreater(seen, 2)

    def files(self) -> list[str]:
        """The files that have something of it: databases, logs, mail, spool."""
        own = {self.house.folder / "debugged.py"}
        files = [
            p for p in self.house.folder.rglob("*") if p.is_file() and p not in own
        ]
        self.assertGreater(len(files), 12)
        return [
            f"{path.name}: {found}"
            for path in files
            if (found := self.told(path.read_bytes().decode("latin-1")))
        ]

    def told(self, text: str) -> set[str]:
        """Which of the secrets are in a text."""
        return {one for one in self.secrets if one in text}

    def mail_log(self) -> str:
        """All lines."""
        return (self.house.home / "log" / "mail.log").read_text()
