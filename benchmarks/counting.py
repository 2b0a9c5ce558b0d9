"""
What it costs to count a message: C{python -m benchmarks.counting [COUNT]}.

The limits of users, kept here and in a real Redis: decisions a second, fifty at
once, of one account and of a thousand.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults

from smfd.control.quota import Granted, Quota
from smfd.model.quota import Allowance
from smfd.net.redis import Redis, Server
from smfd.net.redis_counters import RedisCounters
from smfd.store.counters import Counters
from smfd.store.directory import Directory
from smfd.store.directory_holds import Holds
from smfd.store.directory_limits import Allowances
from tests.redis import RedisServer

reactor: Any = installed

AT_ONCE = 50
ACCOUNTS = {"one account": 1, "1000 accounts": 1000}
_LIMITS = Allowance(rate=10**6, messages=10**6, recipients=10**6, new_recipients=10**6)


async def _measure(quota: Quota, count: int, accounts: int) -> float:
    """Decisions a second."""
    turns = DeferredSemaphore(AT_ONCE)

    def one(n: int) -> "Deferred[Any]":
        account = f"user{n % accounts}@home.example"
        to = [f"friend{n % 20}@far.example"]
        return quota.spend(account, to, 4000, b"%d" % n, "192.0.2.1")

    begun = time.perf_counter()
    found = await gatherResults([turns.run(one, n) for n in range(count)])
    seconds = time.perf_counter() - begun
    assert all(isinstance(each, Granted) for each in found)
    return count / seconds


async def _all(folder: Path, place: str, count: int) -> dict[str, dict[str, int]]:
    directory = Directory(folder / "directory.db", reactor)
    directory.startService()
    await directory.add_domain("home.example", actor="uid:bench")
    kinds: dict[str, Callable[[], Any]] = {
        "in process": lambda: Counters(folder / "own.db", reactor, reactor),
        "Redis": lambda: RedisCounters(
            Redis(Server(place), reactor),
            Counters(folder / "local.db", reactor, reactor),
        ),
    }
    found: dict[str, dict[str, int]] = {}
    for kind, make in kinds.items():
        counters = make()
        counters.startService()
        allowances = Allowances.of(directory, _LIMITS)
        quota = Quota.of(counters, allowances, Holds.of(directory), reactor)
        found[kind] = {
            name: round(await _measure(quota, count, many))
            for name, many in ACCOUNTS.items()
        }
        await counters.stopService()
    directory.stopService()
    return found


def main() -> None:
    """Measure, and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    redis = RedisServer()
    redis.start()
    with tempfile.TemporaryDirectory(prefix="smfd-counting-") as folder:

        def done(found: object) -> None:
            if isinstance(found, dict):
                for kind, rows in found.items():
                    for name, rate in rows.items():
                        print(f"{kind:<12}{name:<16}{rate:>8} decisions/s")
                print(json.dumps({"quota_decisions_per_s": found}))
            else:
                print(found)
            reactor.stop()

        def start() -> None:
            asked = _all(Path(folder), redis.place, count)
            Deferred.fromCoroutine(asked).addBoth(done)

        reactor.callWhenRunning(start)
        reactor.run()
    redis.stop()


if __name__ == "__main__":
    main()
