"""Servers that do as they are told, and a clock that runs as fast as we can."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater
from zope.interface import implementer

from smfd.delivery.opinion import patience
from smfd.delivery.runner import Runner
from smfd.delivery.site import Bounds
from smfd.interfaces import IDestination
from smfd.model.entry import REMOTE, Consignment, Entry, Outcome, State
from smfd.store.atomic import Disk
from smfd.store.ledger import Ledger
from smfd.store.ledger_jobs import Job
from smfd.store.ledger_schema import open_writer
from smfd.store.ledger_writer import Writer
from tests.store.making import REACTOR, make_entry, remote

#: What a server does with a batch: for so many seconds, then these outcomes.
Script = Callable[[Sequence[Consignment]], tuple[float, list[Outcome]]]

#: When the simulated world begins.
BEGIN = 1_700_000_000.0

TICK = 0.001


def taken(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
    """All of it, within a tenth of a second."""
    return 0.1, [c.outcome(State.DELIVERED, "250 ok") for c in batch]


def dead(seconds: float) -> Script:
    """Nobody there, and it takes so long to know."""

    def script(batch: Sequence[Consignment]) -> tuple[float, list[Outcome]]:
        why = "no connection"
        return seconds, [
            Outcome(c.entry_id, c.recipient.number, State.DUE, why, of_site=True)
            for c in batch
        ]

    return script


class SimulatedLedger(Ledger):
    """A ledger without a thread: what is asked for is there a moment later."""

    def __init__(self, home: Path, clock: Clock) -> None:
        super().__init__(home, REACTOR, clock)
        self._jobs: list[Job] = []

    def startService(self) -> None:
        """Open the file; the power does not fail here."""
        self.home.mkdir(exist_ok=True)
        path = self.home / "ledger.db"
        connection = self.connection = open_writer(path)
        connection.execute("PRAGMA synchronous = OFF")
        self._writer = Writer(
            connection, str(self.home), Disk(), self._clock.seconds, str(path)
        )

    def stopService(self) -> "Deferred[None]":
        """Close it, whatever waits."""
        self._jobs.clear()
        self._writer = None
        self.connection.close()
        return succeed(None)

    def _now(self, job: Job) -> None:
        if not self._jobs:
            self._clock.callLater(TICK, self._write)
        self._jobs.append(job)

    _soon = _now

    def _write(self) -> None:
        jobs, self._jobs = self._jobs, []
        if jobs and self._writer is not None:
            self._writer.write(jobs)
            self._fire(jobs, [])


@implementer(IDestination)
@define(eq=False)
class World:
    """
    All other servers, and the house that sends to them.

    @ivar scripts: by site, what its server does; the others take everything.
    @ivar tries: by site, when a batch came there.
    @ivar most: by site, the most batches at once; C{""} is all of them.
    @ivar had: who was delivered to, and when.
    """

    home: Path
    bounds: Bounds = Bounds()
    pause: Callable[[int], float] = patience
    name: str = REMOTE
    clock: Clock = field(factory=Clock)
    scripts: dict[str, Script] = field(factory=dict)
    tries: dict[str, list[float]] = field(factory=lambda: defaultdict(list))
    most: Counter[str] = field(factory=Counter)
    had: dict[tuple[str, int], list[float]] = field(factory=lambda: defaultdict(list))
    ledger: SimulatedLedger = field(init=False)
    runner: Runner = field(init=False)
    _now: Counter[str] = field(factory=Counter)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(BEGIN)
        self.home.mkdir()
        self.begin()

    def begin(self, running: bool = True) -> None:
        """A house on what an earlier one left."""
        self.ledger = SimulatedLedger(self.home, self.clock)
        self.ledger.startService()
        spool: Any = _NoSpool()
        self.runner = Runner(
            self.ledger,
            spool,
            [],
            len,
            self.clock,
            elsewhere=[self],
            bounds=self.bounds,
            patience=self.pause,
        )
        if running:
            self.start()

    def start(self) -> None:
        """Begin to send."""
        self.runner.startService()
        self.run(0.1)

    def kill(self) -> None:
        """Pull the plug: nothing that is not in the ledger is known any more."""
        self.ledger.stopService()
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self._now.clear()

    def run(self, seconds: float) -> None:
        """Let time pass, one event after the other."""
        until = self.clock.seconds() + seconds
        while calls := self.clock.getDelayedCalls():
            first = min(call.getTime() for call in calls)
            if first > until:
                break
            self.clock.advance(max(0.0, first - self.clock.seconds()))
        self.clock.advance(max(0.0, until - self.clock.seconds()))

    def send(self, *addresses: str) -> Entry:
        """A message of a user of ours, committed and taken."""
        recipients = [remote(n, address) for n, address in enumerate(addresses, 1)]
        entry = make_entry(recipients=recipients, when=self.clock.seconds())
        self.commit([entry])
        return entry

    def commit(self, entries: Sequence[Entry], take: bool = True) -> None:
        """Messages that are ours; C{take} is whether the runner knows them."""
        for entry in entries:
            d = self.ledger.commit(entry)
            if take:
                d.addCallback(lambda _, e: self.runner.take(e), entry)
        self.run(2 * TICK)

    def deliver(
        self, consignments: Sequence[Consignment]
    ) -> "Deferred[Sequence[Outcome]]":
        """As the server of the site does it."""
        (site,) = {c.recipient.site for c in consignments}
        self.tries[site].append(self.clock.seconds())
        for name in (site, ""):
            self._now[name] += 1
            self.most[name] = max(self.most[name], self._now[name])
        seconds, outcomes = self.scripts.get(site, taken)(consignments)
        d: Deferred[None] = deferLater(self.clock, seconds)
        return d.addCallback(self._done, site, outcomes)

    def _done(self, _: None, site: str, outcomes: list[Outcome]) -> Sequence[Outcome]:
        for name in (site, ""):
            self._now[name] -= 1
        for outcome in outcomes:
            if outcome.state is State.DELIVERED:
                key = outcome.key
                self.had[key].append(self.clock.seconds())
        return outcomes

    def states(self) -> Counter[str]:
        """How many recipients are in each state."""
        found = self.ledger.connection.execute("SELECT state FROM recipients")
        return Counter(state for (state,) in found)


class _NoSpool:
    """All bodies are small."""

    def sweep(self, wanted: set[str]) -> "Deferred[int]":
        """Nothing to remove."""
        return succeed(0)


def seeds(count: int) -> list[random.Random]:
    """Dice that fall the same way each time."""
    return [random.Random(seed) for seed in range(count)]
