"""A real smfd in a folder of its own, as a user would run it."""

import atexit
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from smtplib import SMTP, SMTP_SSL, SMTPDataError
from typing import Any

from attrs import frozen

import smfd
from smfd.config.shipped import shipped
from smfd.content.rules.compile import load_rules
from smfd.store.ledger import FILE

CHECKOUT = Path(smfd.__file__).parents[1]
BIN = Path(sys.executable).parent

#: Seconds a start, a stop or a wish may take before the test gives up.
PATIENCE = 30.0

#: What settings say of ports before a house has its own.
_BASE = 40_000
_PORT = re.compile(r"(?<=127\.0\.0\.1:)40(\d{3})\b")

#: All mail for the world goes to a server of this machine.
ONWARD = """
[virus]
engine = "builtin"
[dns]
offline = true
[[relay.route]]
domain = "*"
to = "smtp://127.0.0.1:{port}"
"""

#: Nothing that users send is too much.
UNLIMITED = """
[quota]
connections = 0
rate = 0
messages = 0
recipients = 0
message_recipients = 0
new_recipients = 0
hold_breaches = 0
hold_new_recipients = 0
hold_identical = 0
hold_networks = 0
hold_unknown = 0
"""


def free_base() -> int:
    """
    A port base whose ports nobody has, and nobody gets by chance: those above
    32,768 are given to whoever connects, also while a house is restarted.
    """
    first = os.getpid() % 6_000 * 3
    for step in range(0, 20_000, 7):
        base = 12_000 + (first + step) % 20_000
        if all(_is_free(base + port) for port in (25, 465, 587)):
            return base
    raise RuntimeError("no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def believing() -> ssl.SSLContext:
    """A client that believes every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@frozen
class _Founded:
    """
    A home as C{smfdctl init} makes it, and our rules compiled in it: two
    seconds of processor time that houses share.

    @ivar said: what init said, JSON.
    """

    home: Path
    said: str

    def settle(self, home: Path, base: int) -> dict[str, Any]:
        """The same in another place and on other ports; what init said of it."""
        shutil.copytree(self.home, home)
        config = home / "smfd.toml"
        text = _PORT.sub(lambda found: str(base + int(found[1])), config.read_text())
        config.write_text(text)
        made: dict[str, Any] = json.loads(self.said)
        return made


@cache
def _founded(users: Sequence[str], init: Sequence[str]) -> _Founded:
    """Gone with this process."""
    folder = Path(tempfile.mkdtemp(prefix="smfd-founded-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = folder / "home"
    wanted = [part for user in users for part in ("--user", user)]
    command: list[str | Path] = [BIN / "smfdctl", "init", home]
    made = subprocess.run(
        [*command, "--hostname", "mx.example.test", "--domain", "example.test"]
        + ["--port-base", str(_BASE), *wanted, *init, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    load_rules(str(shipped("rules.d")), compiled=home / "compiled")
    return _Founded(home, made.stdout)


class House:
    """
    A home and the process that serves it.

    @ivar home: the folder; gone with L{remove}.
    @ivar log: what twistd logged, all starts together.
    """

    def __init__(
        self,
        users: Sequence[str] = ("user@example.test",),
        settings: str = "",
        *,
        init: Sequence[str] = (),
    ) -> None:
        """
        What C{smfdctl init} makes, and the settings appended to it.

        @param init: more that init is told.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="smfd-test-"))
        self.home = self.folder / "home"
        self.base = free_base()
        self.port = self.base + 25
        self.config = self.home / "smfd.toml"
        self.log = self.folder / "twistd.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.made = _founded(tuple(users), tuple(init)).settle(self.home, self.base)
        with self.config.open("a") as file:
            file.write("\n" + settings)

    def command(self) -> list[str]:
        """What starts the daemon."""
        twistd = str(BIN / "twistd")
        return [twistd, "-n", "--pidfile=", "smfd", "--config", str(self.config)]

    def start(self, before: Sequence[str] = ()) -> None:
        """Start, and wait until every listener is up."""
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(
                [*before, *self.command()],
                stdout=log,
                stderr=log,
                cwd=CHECKOUT,
                start_new_session=True,
            )
        end = time.monotonic() + PATIENCE
        while b"smfd ready" not in self.log.read_bytes()[begin:]:
            if self.process.poll() is not None or time.monotonic() > end:
                said = self.log.read_text(errors="replace")[begin:]
                self.kill()
                raise RuntimeError(f"smfd did not start:\n{said}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        assert self.process is not None
        return self.process.pid

    def annex(self) -> int:
        """The process that writes the mailboxes; waits until there is one."""

        def find() -> int:
            path = f"/proc/{self.pid}/task/{self.pid}/children"
            for child in Path(path).read_text().split():
                with contextlib.suppress(OSError):
                    line = Path(f"/proc/{child}/cmdline").read_bytes()
                    if b"smfd.store.annex_process" in line:
                        return int(child)
            return 0

        return int(self.until(find))

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it and all it started, at once."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.process = None

    def remove(self) -> None:
        """Kill it and remove everything."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ctl(self, *words: object, code: int = 0) -> Any:
        """What smfdctl prints as JSON."""
        done = subprocess.run(
            [BIN / "smfdctl", "--config", self.config, *map(str, words), "--json"],
            capture_output=True,
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == code, f"{words}: exit {done.returncode}: {said}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def send(
        self,
        message: bytes,
        recipients: Sequence[str] = ("user@example.test",),
        sender: str = "alice@sender.test",
    ) -> tuple[int, str]:
        """Send one message over SMTP; the reply to it."""
        with SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
            client.ehlo("mail.sender.test")
            client.mail(sender)
            for recipient in recipients:
                client.rcpt(recipient)
            try:
                code, text = client.data(message)
            except SMTPDataError as refused:  # DATA itself was refused
                code, text = refused.smtp_code, _bytes(refused.smtp_error)
            return code, text.decode()

    def login(self, user: str) -> SMTP_SSL:
        """A user's connection, for C{with}."""
        client = SMTP_SSL(
            "127.0.0.1",
            self.base + 465,
            "there.test",
            timeout=PATIENCE,
            context=believing(),
        )
        client.login(user, self.made["users"][user])
        return client

    def submit(self, user: str, recipients: Sequence[str], message: bytes) -> str:
        """A user sends a message, which is taken for all; the id of its record."""
        with self.login(user) as client:
            client.mail(user)
            codes = [client.rcpt(recipient)[0] for recipient in recipients]
            code, text = client.data(message)
        assert {code, *codes} == {250}, f"{codes} {code} {text!r}"
        return id_of(text.decode())

    def mailbox(self, user: str = "user@example.test") -> list[bytes]:
        """The messages in somebody's mailbox."""
        local, _, domain = user.partition("@")
        folder = self.home / "mail" / domain / local
        files = [*folder.glob("new/*"), *folder.glob("cur/*")]
        return [path.read_bytes() for path in sorted(files)]

    def held(self) -> list[bytes]:
        """The messages in the quarantine, of all domains."""
        folder = self.home / "quarantine"
        return [p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()]

    @property
    def rests(self) -> bool:
        """Nothing is due, and nothing left to be said, by the ledger."""
        with reading(self.home / FILE) as ledger:
            (left,) = ledger.execute("SELECT count(*) FROM entries").fetchone()
        return not left

    def until(self, what: Any, seconds: float = PATIENCE) -> Any:
        """Wait until something holds; its value."""
        end = time.monotonic() + seconds
        while not (value := what()):
            assert time.monotonic() < end, "it never came about"
            time.sleep(0.02)
        return value


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A ledger, to read it and to change nothing."""
    ledger = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=20)
    try:
        yield ledger
    finally:
        ledger.close()


def id_of(reply: str) -> str:
    """The record's id in a reply."""
    return reply.rpartition("id=")[2].split()[0]


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
