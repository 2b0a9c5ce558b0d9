"""
A program that spends: C{spending.py HOME MOST PARALLEL TURNS [REDIS]}.

It prints a line for each message it may send, when it may, and C{done}.
"""

import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred

from smfd.interfaces import ICounters
from smfd.net.redis import Redis, Server
from smfd.net.redis_counters import RedisCounters
from smfd.policy.quota import MESSAGES, NEW_RECIPIENTS, Draw, Taken
from smfd.store.counters import FILE, Counters

reactor: Any = installed


async def spend(counters: ICounters, most: int, turns: int) -> None:
    """One connection: so many messages, one after the other."""
    for turn in range(turns):
        draws = (Draw(MESSAGES, most), Draw(NEW_RECIPIENTS, items=(f"r{turn}",)))
        found = await counters.spend("ann@home.example", draws)
        if isinstance(found, Taken):
            # Past any buffer: what is printed was granted, whoever is killed.
            os.write(1, b"granted\n")


async def main(
    home: str, most: str, parallel: str, turns: str, redis: str = ""
) -> None:
    """Spend on so many connections at once."""
    counters: Any = Counters(Path(home) / FILE, reactor, reactor)
    if redis:
        server = Server(redis, seconds=10.0)
        counters = RedisCounters(Redis(server, reactor), counters, 2)
    counters.startService()
    await gatherResults(
        [
            Deferred.fromCoroutine(spend(counters, int(most), int(turns)))
            for _ in range(int(parallel))
        ]
    )
    await maybeDeferred(counters.stopService)
    os.write(1, b"done\n")


if __name__ == "__main__":

    def end(result: object) -> None:
        """Nothing is left to do."""
        if result is not None:
            os.write(2, str(result).encode())
        reactor.stop()

    reactor.callWhenRunning(
        lambda: Deferred.fromCoroutine(main(*sys.argv[1:])).addBoth(end)
    )
    reactor.run()
