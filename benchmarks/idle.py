"""
C{python -m benchmarks.idle}: what 5,000 connections cost that say nothing.

Prints JSON.
"""

import json
import resource
import socket
import sys
import time
from typing import Any

from benchmarks import processes
from benchmarks.flood import GOOD, beside, house

_SETTINGS = '[limits.stress]\nmode = "never"\n'


def measure(count: int) -> dict[str, Any]:
    """Memory and time of so many, and the good beside them."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    made = house((GOOD,), _SETTINGS, count + 100)
    try:
        beside(made, 100)
        before, begun = processes.memory(made.pid), time.perf_counter()
        waiting = [_connected(made.port, n) for n in range(count)]
        greeted = sum(one.recv(200).startswith(b"220") for one in waiting)
        seconds = time.perf_counter() - begun
        after = processes.memory(made.pid)
        found, _ = beside(made, 500)
        for one in waiting:
            one.close()
    finally:
        made.remove()
    return {
        "connections": count,
        "greeted": greeted,
        "seconds": round(seconds, 2),
        "MB": round(after - before, 1),
        "kB_each": round((after - before) * 1000 / count, 2),
        "beside": found,
    }


def _connected(port: int, n: int) -> socket.socket:
    one = socket.socket()
    one.settimeout(60)
    one.bind((f"127.1.{n // 40}.1", 0))
    one.connect(("127.0.0.1", port))
    return one


def main() -> None:
    """As JSON."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    print(json.dumps(measure(count), indent=1))


if __name__ == "__main__":
    main()
