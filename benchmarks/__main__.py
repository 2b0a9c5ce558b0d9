"""
C{make bench}: what smfd does on this machine.

Accepted and delivered messages a second, CPU, memory, idle connections and the
worst stall of the reactor; with the scan chain off and on.  Prints a table and
writes C{bench.json}.  Machines differ and drift: compare ratios within one run.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from attrs import asdict, define

from benchmarks import flood, processes, searching, slow
from benchmarks import idle as silent
from benchmarks.letters import RECIPIENT, SENDER, Signer, signer, workload
from benchmarks.load import Letter, run, stuffed
from smfd.ctl.client import Client
from tests.clamd import RealClamd
from tests.system.house import House

#: Messages of each workload; the large ones are few.
COUNTS = {"A": 4000, "B": 1500, "C": 40, "D": 2000}
COUNTS_SCANNING = {"A": 1500, "B": 500, "C": 16, "D": 600}

SIZES = {"A": "4 KB", "B": "60 KB", "C": "10 MB", "D": "mixed"}

IDLE = 1000


@define
class Row:
    """
    One measurement.

    @ivar accepted: messages a second, until the last 250.
    @ivar delivered: messages a second, until the last is in the mailbox.
    @ivar cpu: seconds per 1000 messages, all our processes.
    @ivar p99: seconds from the dot to the reply.
    @ivar memory: MB, shared pages counted once, right after the load.
    @ivar stall: milliseconds, the reactor's worst.
    """

    scanning: str
    work: str
    messages: int
    accepted: float
    delivered: float
    cpu: float
    p99: float
    memory: float
    stall: float


def _settings(signed: Signer, clamd: RealClamd | None) -> str:
    records = {
        "sender.test": "v=spf1 ip4:127.0.0.0/8 -all",
        "_dmarc.sender.test": "v=DMARC1; p=none",
        "bench._domainkey.sender.test": signed.record,
    }
    text = "[dns]\noffline = true\n"
    for name, value in records.items():
        text += f'[[dns.record]]\nname = "{name}"\ntype = "TXT"\nvalue = "{value}"\n'
    if clamd is None:
        return text + '[scan]\nstages = ["lists"]\n'
    return text + (
        f'[virus]\nengine = "clamd"\nclamd = ["unix:{clamd.path}"]\n'
        f"max_size = {clamd.limit}\n"
    )


def _letters(work: str, signed: Signer, count: int) -> Iterator[Letter]:
    # Made before the clock starts: the generator shares our cores.
    distinct = min(count, 200) if work == "D" else 1
    made = [
        Letter(SENDER, (RECIPIENT,), stuffed(message))
        for message in workload(work, signed, distinct)
    ]
    return islice(cycle(made), count)


def measure(house: House, scanning: str, work: str, count: int, signed: Signer) -> Row:
    """One workload on a running house."""
    new = house.home / "mail" / "example.test" / "user" / "new"
    before = sum(1 for _ in new.iterdir()) if new.exists() else 0
    letters = _letters(work, signed, count)
    client = Client(house.config)
    client.post("/v1/pulse", {})
    cpu, begun = processes.cpu(house.pid), time.perf_counter()
    load = run(house.port, letters)
    while sum(1 for _ in new.iterdir()) - before < load.accepted:
        if time.perf_counter() - begun > 300:
            raise RuntimeError("the mailbox does not fill")
        time.sleep(0.005)
    seconds = time.perf_counter() - begun
    if load.refused or load.broken or load.accepted != count:
        raise RuntimeError(f"{load.accepted} of {count}: {load.refused[:3]}")
    spent = processes.cpu(house.pid) - cpu
    return Row(
        scanning,
        work,
        count,
        round(count / load.seconds, 1),
        round(count / seconds, 1),
        round(spent / count * 1000, 3),
        round(load.delay(0.99), 4),
        round(processes.memory(house.pid), 1),
        client.post("/v1/pulse", {})["worst_ms"],
    )


def idle(house: House) -> dict[str, Any]:
    """What a connection costs that says nothing."""
    before = processes.memory(house.pid)
    begun = time.perf_counter()
    waiting = [socket.create_connection(("127.0.0.1", house.port)) for _ in range(IDLE)]
    for connection in waiting:
        connection.recv(200)
    seconds = time.perf_counter() - begun
    after = processes.memory(house.pid)
    for connection in waiting:
        connection.close()
    return {
        "connections": IDLE,
        "kb_each": round((after - before) * 1000 / IDLE, 2),
        "seconds_to_greet": round(seconds, 2),
    }


def _judged() -> dict[str, int]:
    """Another process: it has a reactor of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.source"], capture_output=True, check=True
    )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def _show(row: Row) -> None:
    print(
        f"{row.scanning:<8}{SIZES[row.work]:<7}{row.accepted:>10.1f}"
        f"{row.delivered:>11.1f}{row.cpu:>12.3f}{row.p99 * 1000:>9.1f}"
        f"{row.memory:>9.1f}{row.stall:>9.1f}",
        flush=True,
    )


def main() -> None:
    """Everything, a table, and a file."""
    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    signed, rows = signer(), []
    result: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="smfd-bench-"))
    clamd = RealClamd(folder, limit=50_000_000)
    clamd.start()
    print(
        "scan    size    accepted/s delivered/s CPU s/1000 p99 ms   MB     stall ms",
        flush=True,
    )
    try:
        for scanning, scanner, counts in (
            ("off", None, COUNTS),
            ("on", clamd, COUNTS_SCANNING),
        ):
            house = House(("user@example.test",), _settings(signed, scanner))
            house.start()
            try:
                # Workers come up behind the listeners, and caches fill.
                run(house.port, _letters("A", signed, 40))
                result[f"MB at rest, scan {scanning}"] = processes.memory(house.pid)
                result[f"idle, scan {scanning}"] = idle(house)
                for work, count in counts.items():
                    many = max(4, int(count * factor))
                    row = measure(house, scanning, work, many, signed)
                    rows.append(row)
                    _show(row)
            finally:
                house.remove()
    finally:
        clamd.stop()
    count = max(100, int(1000 * factor))
    result["20 good beside a flood"] = flood.measure(count, (flood.GOOD,))
    result["20 good beside an exempt flood"] = flood.measure(
        count, (flood.GOOD, flood.BAD)
    )
    result["20 good beside searches"] = searching.measure(count)
    result["20 good beside 2,000 slow"] = slow.measure(count, 2000, 30.0 * factor)
    result["5,000 idle"] = silent.measure(5000)
    result["connections judged a second"] = _judged()
    result["rows"] = [asdict(row) for row in rows]
    Path("bench.json").write_text(json.dumps(result, indent=1) + "\n")
    for name in sorted(set(result) - {"rows"}):
        print(f"{name}: {result[name]}")


if __name__ == "__main__":
    main()
