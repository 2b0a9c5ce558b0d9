"""
What users hand in, beside Postfix with Dovecot: C{python -m benchmarks.submission}.

Both take mail on a port where TLS begins at once, from a user whose password is
kept as argon2id with the same costs, and put it into a Maildir.  Sessions are
used again for fifty messages, or for one: then each message costs a handshake
and a login.  Several rounds in turn, for the machine's speed varies.
"""

import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from smtplib import SMTP_SSL
from typing import Protocol

from argon2 import PasswordHasher
from attrs import define, field

from benchmarks import processes
from benchmarks.load import stuffed
from tests.system.house import House, believing
from tests.system.peers import Dovecot, Postfix, free_port

#: Connections at once.
AT_ONCE = 20
ROUNDS = 3
#: Messages of a round, and messages of a connection, by what is measured.
LOADS = {"session of 50": (3000, 50), "login for each": (200, 1)}

_USER = "user@far.test"
_SECRET = "a-password-of-the-benchmark"

_MASTER = """
127.0.0.1:{port} inet n - n - 100 smtpd
  -o smtpd_tls_wrappermode=yes
"""

_MAIN = """
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {folder}/etc/cert.pem
smtpd_tls_key_file = {folder}/etc/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_sender_login_maps = inline:{{ {{ user@far.test = user@far.test }} }}
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""

_AUTH = """
protocols =
auth_mechanisms = plain login
disable_plaintext_auth = no
passdb {{
  driver = passwd-file
  args = scheme=ARGON2ID username_format=%u {folder}/passwords
}}
service auth {{
  vsz_limit = 1G
  unix_listener {folder}/run/submission {{
    mode = 0666
  }}
}}
"""


#: Nothing is scanned; all is counted, and nothing is too much.
_SETTINGS = """[scan]
stages = ["lists"]
[quota]
connections = 0
rate = 0
messages = 0
recipients = 0
hold_identical = 0
hold_networks = 0
"""


class Server(Protocol):
    """One of those that are compared."""

    name: str
    port: int
    user: str
    password: str

    def roots(self) -> Iterator[int]:
        """The processes all others come from."""


class Box(Server, Protocol):
    """One that has the mailbox, too."""

    def arrived(self) -> int:
        """Messages in the mailbox."""

    def clear(self) -> None:
        """Empty it."""


class Peers:
    """Postfix, and Dovecot for the logins."""

    name = "Postfix + Dovecot"
    user, password = _USER, _SECRET

    def __init__(self, certificate: Path, key: Path) -> None:
        self._dovecot, self._postfix = Dovecot(), Postfix()
        hashed = PasswordHasher().hash(_SECRET)
        line = f"{_USER}:{{ARGON2ID}}{hashed}::::::\n"
        (self._dovecot.folder / "passwords").write_text(line)
        conf = self._dovecot.folder / "etc" / "dovecot.conf"
        kept = conf.read_text().partition("passdb {")[0].replace("protocols = lmtp", "")
        conf.write_text(kept + self._dovecot.filled(_AUTH))
        etc = self._postfix.folder / "etc"
        for source, name in (certificate, "cert.pem"), (key, "key.pem"):
            shutil.copy(source, etc / name)
        auth = self._dovecot.folder / "run" / "submission"
        self.port = free_port()
        with (etc / "main.cf").open("a") as file:
            filled = _MAIN.replace("{auth}", str(auth))
            file.write(self._postfix.filled(filled))
        with (etc / "master.cf").open("a") as file:
            file.write(_MASTER.replace("{port}", str(self.port)))
        self._auth = auth

    def start(self) -> None:
        """Both; it is ready when a socket is there."""
        dovecot = self._dovecot
        config = str(dovecot.folder / "etc" / "dovecot.conf")
        dovecot.process = subprocess.Popen(
            ("dovecot", "-F", "-c", config), start_new_session=True
        )
        end = time.monotonic() + 20
        while not self._auth.exists() and time.monotonic() < end:
            time.sleep(0.05)
        self._postfix.start()

    def roots(self) -> Iterator[int]:
        """Both masters."""
        pid = self._postfix.folder / "queue" / "pid" / "master.pid"
        yield int(pid.read_text())
        assert self._dovecot.process is not None
        yield self._dovecot.process.pid

    def _mailbox(self) -> Path:
        return self._postfix.mail / "user" / "new"

    def arrived(self) -> int:
        """Messages in the mailbox."""
        return len(list(self._mailbox().glob("*")))

    def clear(self) -> None:
        """Empty it."""
        for path in self._mailbox().glob("*"):
            path.unlink()

    def remove(self) -> None:
        """End both."""
        self._postfix.remove()
        self._dovecot.remove()


class Ours:
    """smfd, nothing scanned."""

    name = "smfd"
    user = "user@example.test"

    def __init__(self, settings: str = _SETTINGS) -> None:
        self.house = House(settings=settings)
        self.password = self.house.made["users"][self.user]
        self.port = self.house.base + 465

    def start(self) -> None:
        """Start it."""
        self.house.start()

    def roots(self) -> Iterator[int]:
        """The daemon."""
        yield self.house.pid

    def _mailbox(self) -> Path:
        return self.house.home / "mail" / "example.test" / "user" / "new"

    def arrived(self) -> int:
        """Messages in the mailbox."""
        return len(list(self._mailbox().glob("*")))

    def clear(self) -> None:
        """Empty it."""
        for path in self._mailbox().glob("*"):
            path.unlink()

    def remove(self) -> None:
        """End it."""
        self.house.remove()


@define
class Work:
    """
    Messages that are left to be sent, for all threads.

    @ivar refused: what else was answered than yes.
    """

    left: int
    refused: list[str] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)

    def take(self, most: int) -> int:
        """So many of them, at most."""
        with self._lock:
            taken = min(self.left, most)
            self.left -= taken
        return taken


def hand_in(
    server: Server, work: Work, most: int, letter: bytes, to: Callable[[], str]
) -> None:
    """
    Have it done by several at once.

    @param most: messages of a connection.
    @param to: the next recipient.
    """
    each = (server, work, most, letter, to)
    threads = [threading.Thread(target=_send, args=each) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(
    server: Server, work: Work, most: int, letter: bytes, to: Callable[[], str]
) -> None:
    """Connect, log in, send, again and again."""
    context = believing()
    token = b64encode(f"\0{server.user}\0{server.password}".encode()).decode()
    while count := work.take(most):
        with SMTP_SSL("127.0.0.1", server.port, context=context, timeout=60) as client:
            client.ehlo("client.test")
            code, said = client.docmd("AUTH", f"PLAIN {token}")
            if code != 235:
                work.refused.append(f"{code} {said!r}")
                continue
            for _ in range(count):
                client.docmd(f"MAIL FROM:<{server.user}>")
                client.docmd(f"RCPT TO:<{to()}>")
                client.docmd("DATA")
                client.send(letter)
                code, said = client.getreply()
                if code != 250:
                    work.refused.append(f"{code} {said!r}")


def measure(server: Box, count: int, most: int) -> dict[str, float]:
    """Messages a second until the last is in the mailbox, and CPU s per 1000."""
    server.clear()
    text = f"From: <{server.user}>\r\nTo: <{server.user}>\r\nSubject: a\r\n\r\n"
    letter = stuffed((text + "All work and no play.\r\n" * 170).encode())
    work = Work(count)
    used = sum(map(processes.cpu, server.roots()))
    begun = time.monotonic()
    hand_in(server, work, most, letter, lambda: server.user)
    while server.arrived() < count and time.monotonic() - begun < 120:
        time.sleep(0.02)
    seconds = time.monotonic() - begun
    if work.refused or server.arrived() < count:
        raise SystemExit(f"{server.name}: {server.arrived()} {work.refused[:3]}")
    used = sum(map(processes.cpu, server.roots())) - used
    return {"rate": count / seconds, "cpu": used / count * 1000}


def _hashing() -> float:
    """Argon2id hashes checked in a second by one thread."""
    hasher = PasswordHasher()
    known = hasher.hash(_SECRET)
    begun = time.monotonic()
    for _ in range(20):
        hasher.verify(known, _SECRET)
    return 20 / (time.monotonic() - begun)


def _all() -> dict[str, dict[str, dict[str, float]]]:
    ours = Ours()
    home = ours.house.home
    peers = Peers(home / "tls" / "cert.pem", home / "tls" / "key.pem")
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    try:
        peers.start()
        ours.start()
        for _ in range(ROUNDS):
            for name, (count, most) in LOADS.items():
                for server in ours, peers:
                    rows = found.setdefault(name, {}).setdefault(server.name, [])
                    rows.append(measure(server, count, most))
    finally:
        peers.remove()
        ours.remove()
    median: Callable[[list[float]], float] = statistics.median
    return {
        name: {
            server: {key: median([row[key] for row in rows]) for key in rows[0]}
            for server, rows in servers.items()
        }
        for name, servers in found.items()
    }


def main() -> None:
    """Measure, and print."""
    found = _all()
    print(f"{'':<20}{'server':<20}{'messages/s':>12}{'CPU s/1000':>12}")
    for name, servers in found.items():
        for server, row in servers.items():
            print(f"{name:<20}{server:<20}{row['rate']:>12.0f}{row['cpu']:>12.2f}")
    print(f"argon2id: {_hashing():.1f} a second and thread")
    json.dump(found, sys.stdout)
    print()


if __name__ == "__main__":
    main()
