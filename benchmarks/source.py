"""
C{python -m benchmarks.source}: connections judged a second.

In this process, without a network but for the DNS: what a connection costs from
its first octet to RCPT, when all answers are known, when each must be asked of
a name server on loopback, and when sources are not judged.  Prints a table and
JSON.
"""

import json
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults, succeed

from smfd.config.load import read
from smfd.interfaces import Answer
from smfd.model.envelope import Envelope, Forward
from smfd.model.session import Session
from smfd.net.dns import Resolver
from smfd.proto.address import Address
from smfd.scan.source_known import sources
from smfd.smtpd.guarded import Gates
from smfd.smtpd.source_gate import source_gate
from tests.dns_stub import NameServer

reactor: Any = installed

COUNTS = {"exempt": 20_000, "cached": 4_000, "uncached": 600}
#: Connections at once.
AT_ONCE = 50

_SETTINGS = """
[server]
hostname = "mx.example.test"
[source.early]
delay = 0
[[source.list]]
zone = "bl.test"
tier = 1
[[source.list]]
zone = "grey.test"
"""


def _zone(most: int) -> dict[str, Any]:
    zone: dict[str, Any] = {}
    for n in range(most):
        name = f"mail{n}.test"
        zone[f"{n % 250}.{n // 250}.0.10.in-addr.arpa"] = {"PTR": [name]}
        zone[name] = {"A": [_client(n)], "MX": [f"10 {name}"]}
    return zone


def _client(n: int) -> str:
    return f"10.0.{n // 250}.{n % 250}"


async def _visit(gates: Gates, name: str, n: int) -> None:
    """One connection, up to RCPT."""
    host = f"mail{n}.test"
    session = Session(name, _client(n), 4242, reactor.seconds())
    envelope = Envelope(name, Address("alice", host))
    forward = Forward(Address("user", "example.test"))
    gates.opened(session)
    await _asked(gates.ask("connected", session))
    session = session.called(host, True)
    await _asked(gates.ask("hello", session))
    await _asked(gates.ask("mail", session, envelope))
    await _asked(gates.ask("rcpt", session, envelope, forward))
    assert gates.findings(session, envelope) or not len(gates)
    gates.closed(session)


async def _asked(answer: Answer) -> None:
    if isinstance(answer, Deferred):
        answer = await answer
    assert answer is None, answer


async def _measure(kind: str, server: NameServer) -> float:
    text = _SETTINGS
    if kind == "exempt":
        text = text.replace(
            "[source.early]", '[source]\nexempt = ["10.0.0.0/8"]\n[source.early]'
        )
    config = read(text, Path("/tmp/smfd.toml"))
    resolver = Resolver(reactor, [f"127.0.0.1:{server.port}"], cache=100_000)
    known = sources(config, resolver, lambda _: succeed(False), reactor)
    gates = Gates([source_gate(config.source, known, reactor)])
    if kind == "cached":
        await _visit(gates, "first", 0)
    count, turns = COUNTS[kind], DeferredSemaphore(AT_ONCE)

    def one(n: int) -> "Deferred[None]":
        who = n if kind == "uncached" else 0
        return Deferred.fromCoroutine(_visit(gates, str(n), who))

    begun = time.perf_counter()
    await gatherResults([turns.run(one, n) for n in range(count)])
    return count / (time.perf_counter() - begun)


async def _all() -> dict[str, int]:
    server = NameServer(_zone(COUNTS["uncached"]), ttl=3600)
    server.start(reactor)
    try:
        return {kind: round(await _measure(kind, server)) for kind in COUNTS}
    finally:
        await server.stop()


def main() -> None:
    """Measure, and print."""

    def done(found: object) -> None:
        if isinstance(found, dict):
            print(f"{'reputation':<12}{'connections/s':>14}")
            for kind, rate in found.items():
                print(f"{kind:<12}{rate:>14}")
            print(json.dumps(found))
        else:
            print(found)
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(_all()).addBoth(done))
    reactor.run()


if __name__ == "__main__":
    main()
