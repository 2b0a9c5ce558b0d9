"""
A directory of a million users: C{python -m benchmarks.accounts [COUNT]}.

The time to fill it, to open it, to look somebody up for the first time and
again, and what the process takes then.
"""

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred

from smfd.store.directory import Directory
from smfd.store.directory_grants import Grants
from smfd.store.directory_schema import writer

reactor: Any = installed

DOMAINS = 1000
#: Users that are asked for.
ASKED = 5000


def _name(n: int) -> str:
    return f"user{n}@d{n % DOMAINS}.example"


def _fill(path: Path, count: int) -> float:
    """As C{user add} would have done it, all in one go."""
    begun = time.perf_counter()
    connection = writer(path)
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO domains (name, kind, threshold, allow_unauthenticated)"
        " VALUES (?, 'local', NULL, 0)",
        [(f"d{n}.example",) for n in range(DOMAINS)],
    )
    hashed = "$argon2id$v=19$m=65536,t=3,p=4$" + "x" * 66
    connection.executemany(
        "INSERT INTO accounts VALUES (?, ?, ?, 0)",
        ((_name(n), f"d{n % DOMAINS}.example", hashed) for n in range(count)),
    )
    connection.execute("COMMIT")
    connection.close()
    return time.perf_counter() - begun


async def _asked(directory: Directory, names: list[str]) -> float:
    """Milliseconds for each."""
    begun = time.perf_counter()
    for name in names:
        assert await directory.known(name) is not None, name
    return (time.perf_counter() - begun) / len(names) * 1000


async def _measure(path: Path, count: int) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    directory = Directory(path, reactor)
    directory.startService()
    await directory.known(_name(0))
    opened = time.perf_counter() - begun
    chosen = random.Random(1).sample(range(count), ASKED)
    names = [_name(n) for n in chosen]
    first, again = await _asked(directory, names), await _asked(directory, names)
    grants = Grants(directory)
    begun = time.perf_counter()
    for name in names[:1000]:
        assert name in await grants.identities(name)
    identities = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    directory.stopService()
    return {
        "open_ms": opened * 1000,
        "first_ms": first,
        "again_ms": again,
        "identities_ms": identities,
        "memory_mb": (after - before) / 1024,
    }


def main() -> None:
    """Measure, and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="smfd-accounts-") as folder:
        path = Path(folder) / "directory.db"
        filled = _fill(path, count)
        size = path.stat().st_size / 1e6

        def done(found: object) -> None:
            if isinstance(found, dict):
                row = {"accounts": count, "fill_s": filled, "file_mb": size, **found}
                for name, value in row.items():
                    print(f"{name:<16}{value:>12.3f}")
                print(json.dumps(row))
            else:
                print(found)
            reactor.stop()

        def start() -> None:
            Deferred.fromCoroutine(_measure(path, count)).addBoth(done)

        reactor.callWhenRunning(start)
        reactor.run()


if __name__ == "__main__":
    main()
