"""
A queue as long as after a day without a network:
C{python -m benchmarks.queued [RECIPIENTS [SITES [SECONDS]]]}.

Half of the sites are dead: their port is closed.  A user goes on writing to live
ones meanwhile.  Prints how long a start takes, what memory it takes, how long
that user's mail takes to be there, and how fast the queue shrinks.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from attrs import define

from benchmarks import processes
from smfd.store.ids import new_id
from smfd.store.ledger_schema import open_writer
from tests.system.house import UNLIMITED, House
from tests.system.peers import free_port

RECIPIENTS, SITES, SECONDS = 100_000, 10_000, 60

#: Messages a second of the user who goes on writing.
_RATE = 5

_USER = "user@example.test"

_BODY = b"From: user@example.test\r\nSubject: waiting\r\n\r\n" + b"It waits.\r\n" * 40

_PROBE = b"Subject: probe "

_REPLIES = {
    b"EHLO": b"250-sink\r\n250 PIPELINING\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}

_SETTINGS = """[scan]
stages = ["lists"]
[relay]
connections = 200
networks_allowed = ["127.0.0.0/8"]
[[relay.route]]
domain = "*.live.test"
to = "smtp://127.0.0.1:{live}"
[[relay.route]]
domain = "*.dead.test"
to = "smtp://127.0.0.1:{dead}"
"""


def site(n: int) -> str:
    """The domain with a number; every other one is dead."""
    return f"{n:06}.{'dead' if n % 2 else 'live'}.test"


def _rows(recipients: int, sites: int) -> Iterator[tuple[str, float, str]]:
    """Entries of the last three hours: id, time, recipient."""
    begin = time.time() - 3 * 3600
    for n in range(recipients):
        when = begin + n * 3600 / recipients
        yield new_id(when), when, f"u{n}@{site(n % sites)}"


def fill(path: Path, recipients: int, sites: int) -> None:
    """Put so many into the queue, as if they had been accepted."""
    connection = open_writer(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    crc = crc32(_BODY)
    for entry, when, address in _rows(recipients, sites):
        connection.execute(
            "INSERT INTO entries (id, received, sender, size, path, cuts, top, body,"
            " crc, account) VALUES (?, ?, ?, ?, '', '', x'', ?, ?, ?)",
            (entry, when, _USER, len(_BODY), _BODY, crc, _USER),
        )
        connection.execute(
            "INSERT INTO recipients (entry, number, address, domain, destination,"
            " category, reason, top, state, site) VALUES (?, 1, ?, 'example.test',"
            " 'remote', 'clean', '', x'', 'due', ?)",
            (entry, address, address.partition("@")[2]),
        )
    connection.execute("COMMIT")
    connection.close()


@define
class Sink:
    """
    Takes everything; says how much, and when each C{Subject: probe N} was there.

    @ivar taken: messages.
    """

    taken: int = 0

    async def listen(self, port: int) -> None:
        """For ever."""
        server = await asyncio.start_server(
            self.serve, "127.0.0.1", port, limit=1 << 22
        )
        await server.serve_forever()

    async def serve(
        self, read: asyncio.StreamReader, write: asyncio.StreamWriter
    ) -> None:
        """One connection."""
        write.write(b"220 sink ESMTP\r\n")
        with contextlib.suppress(ConnectionError):
            while line := await read.readline():
                verb = line[:4].upper()
                write.write(_REPLIES.get(verb, b"250 ok\r\n"))
                if verb == b"DATA":
                    self.note(await read.readuntil(b"\r\n.\r\n"))
                    write.write(b"250 taken\r\n")
        write.close()

    def note(self, message: bytes) -> None:
        """Say what was taken."""
        self.taken += 1
        at = message.find(_PROBE)
        if at >= 0:
            number = message[at + len(_PROBE) :].split()[0].decode()
            print("probe", number, time.time(), flush=True)
        elif self.taken % 100 == 0:
            print("taken", self.taken, time.time(), flush=True)


def _probe(house: House, sites: int, seconds: float) -> tuple[dict[int, float], float]:
    """Write on; when each was accepted, and the most memory meanwhile."""
    client = house.login(_USER)
    sent: dict[int, float] = {}
    most, end = 0.0, time.time() + seconds
    while time.time() < end:
        n = len(sent)
        message = f"From: {_USER}\r\nSubject: probe {n}\r\n\r\nSoon.\r\n"
        client.sendmail(_USER, f"v@{site(n * 37 % sites // 2 * 2)}", message)
        sent[n] = time.time()
        if n % (_RATE * 5) == 0:
            most = max(most, processes.memory(house.pid))
        time.sleep(1 / _RATE)
    return sent, most


def _heard(log: Path, word: str) -> list[tuple[int, float]]:
    """What the sink said: numbers and times."""
    lines = (line.split() for line in log.read_text().splitlines())
    return [(int(p[1]), float(p[2])) for p in lines if len(p) == 3 and p[0] == word]


def _run(house: House, log: Path, sites: int, seconds: float) -> dict[str, float]:
    """Start, write on for a while, stop."""
    log.write_text("")
    begun = time.time()
    house.start()
    ready = time.time() - begun
    cpu = processes.cpu(house.pid)
    sent, memory = _probe(house, sites, seconds)
    time.sleep(5)
    used = processes.cpu(house.pid) - cpu
    there = dict(_heard(log, "probe"))
    waits = sorted(there[n] - when for n, when in sent.items() if n in there)
    taken = _heard(log, "taken")
    span = taken[-1][1] - taken[0][1] if len(taken) > 1 else 0.0
    rate = (len(taken) - 1) * 100 / span if span else 0.0
    stop = time.time()
    house.stop()
    return {
        "ready after, s": round(ready, 2),
        "first of the queue there after, s": round(
            taken[0][1] - begun if taken else 0.0, 2
        ),
        "most memory, MB": round(memory, 1),
        "CPU of the daemon, s": round(used, 1),
        "written meanwhile": len(sent),
        "of it there": len(waits),
        "median, s": round(waits[len(waits) // 2], 2) if waits else -1,
        "p95, s": round(waits[int(len(waits) * 0.95)], 2) if waits else -1,
        "longest, s": round(waits[-1], 2) if waits else -1,
        "of the queue there": len(taken) * 100,
        "a second": round(rate),
        "stopped after, s": round(time.time() - stop, 2),
    }


def main() -> None:
    """Fill, run twice, and print the figures."""
    given = [int(text) for text in sys.argv[1:]]
    recipients, sites, seconds = (given + [RECIPIENTS, SITES, SECONDS][len(given) :])[
        :3
    ]
    live, dead = free_port(), free_port()
    house = House((_USER,), UNLIMITED + _SETTINGS.format(live=live, dead=dead))
    log = house.folder / "sink.log"
    with log.open("a") as out:
        command = [sys.executable, "-m", "benchmarks.queued", "--sink", str(live)]
        sink = subprocess.Popen(command, stdout=out)
    try:
        empty = _run(house, log, sites, 5)
        begun = time.time()
        fill(house.home / "ledger.db", recipients, sites)
        print(f"{recipients} recipients, {sites} sites: {time.time() - begun:.0f} s")
        found = {"empty": empty}
        for name in ("first start", "second start"):
            found[name] = _run(house, log, sites, seconds)
            print(name, json.dumps(found[name], indent=1), flush=True)
        print("empty", json.dumps(empty, indent=1))
    finally:
        sink.terminate()
        house.remove()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sink"]:
        asyncio.run(Sink().listen(int(sys.argv[2])))
    else:
        main()
