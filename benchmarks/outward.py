"""
From a user's login to the last message at a smarthost, signed:
C{python -m benchmarks.outward [HARAKA]}.

smfd beside Postfix with Dovecot and OpenDKIM, and beside Haraka where the
folder of its package is given.  Sessions of fifty messages over TLS, twenty at
once, to a hundred domains; Postfix's smtp-sink counts what arrives.  Several
rounds in turn, for the machine's speed varies.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Protocol

from benchmarks import processes
from benchmarks.load import stuffed
from benchmarks.outward_peers import Haraka, PostfixOut
from benchmarks.submission import Ours, Server, Work, hand_in
from tests.system.house import UNLIMITED
from tests.system.peers import free_port

ROUNDS = 3
#: Messages of a round.
MESSAGES = 2000
#: Messages of a connection.
_SESSION = 50
#: Domains they go to.
_DOMAINS = 100
#: Seconds after which a round is given up.
_LIMIT = 120.0

_SETTINGS = """[scan]
stages = ["lists"]
[[relay.route]]
domain = "*"
to = "smtp://127.0.0.1:{sink}"
"""


class Sender(Server, Protocol):
    """One of those that are compared."""

    def start(self) -> None:
        """Start it."""

    def remove(self) -> None:
        """End it."""


class Sink:
    """Postfix's smtp-sink: takes everything, and says how much it was."""

    def __init__(self) -> None:
        self.port = free_port()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Listen."""
        where = f"127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            ("smtp-sink", "-u", "postfix", "-c", where, "1024"),
            stdout=self._log,
            stderr=subprocess.DEVNULL,
        )

    def taken(self) -> int:
        """Messages, since it was started."""
        size = os.fstat(self._log.fileno()).st_size
        last = os.pread(self._log.fileno(), 400, max(0, size - 400))
        found = re.findall(rb"mesg=(\d+)", last)
        return int(found[-1]) if found else 0

    def remove(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def measure(server: Sender, sink: Sink, numbers: Iterator[int]) -> dict[str, float]:
    """Messages a second until the sink has the last, and CPU s per 1000."""
    text = (
        f"From: <{server.user}>\r\nTo: <x@sink.test>\r\nSubject: a\r\n"
        "Date: Sun, 22 Nov 2026 06:00:00 +0000\r\n\r\n"
    )
    letter = stuffed((text + "All work and no play.\r\n" * 170).encode())
    work, before = Work(MESSAGES), sink.taken()
    used = sum(map(processes.cpu, server.roots()))
    begun = time.monotonic()

    def to() -> str:
        number = next(numbers)
        return f"x{number}@d{number % _DOMAINS}.sink.test"

    hand_in(server, work, _SESSION, letter, to)
    handed = time.monotonic() - begun
    while sink.taken() - before < MESSAGES and time.monotonic() - begun < _LIMIT:
        time.sleep(0.02)
    seconds = time.monotonic() - begun
    if work.refused or sink.taken() - before < MESSAGES:
        got = sink.taken() - before
        raise SystemExit(f"{server.name}: {got} of {MESSAGES} {work.refused[:3]}")
    used = sum(map(processes.cpu, server.roots())) - used
    return {
        "taken": MESSAGES / handed,
        "rate": MESSAGES / seconds,
        "cpu": used / MESSAGES * 1000,
    }


def _servers(sink: Sink, haraka: str) -> Iterator[Sender]:
    ours = Ours(UNLIMITED + _SETTINGS.format(sink=sink.port))
    yield ours
    tls = ours.house.home / "tls"
    pair = tls / "cert.pem", tls / "key.pem"
    yield PostfixOut(*pair, sink.port)
    if haraka:
        yield Haraka(Path(haraka), *pair, sink.port)


def _all(haraka: str) -> dict[str, dict[str, float]]:
    sink, numbers = Sink(), count()
    servers: list[Sender] = []
    rows: dict[str, list[dict[str, float]]] = {}
    try:
        sink.start()
        for server in _servers(sink, haraka):
            servers.append(server)
            server.start()
        for _ in range(ROUNDS):
            for server in servers:
                row = measure(server, sink, numbers)
                rows.setdefault(server.name, []).append(row)
    finally:
        for server in reversed(servers):
            server.remove()
        sink.remove()
    return {
        name: {key: statistics.median([r[key] for r in some]) for key in some[0]}
        for name, some in rows.items()
    }


def main() -> None:
    """Measure, and print."""
    found = _all(sys.argv[1] if len(sys.argv) > 1 else "")
    print(f"{'':<22}{'taken/s':>10}{'sent on/s':>12}{'CPU s/1000':>12}")
    for name, row in found.items():
        print(f"{name:<22}{row['taken']:>10.0f}{row['rate']:>12.0f}{row['cpu']:>12.2f}")
    json.dump(found, sys.stdout)
    print()


if __name__ == "__main__":
    main()
