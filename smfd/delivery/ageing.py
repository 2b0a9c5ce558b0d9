"""
What waits grows old: its sender hears of it, and at last it is given up.

The servers of a site may be left alone for hours, and nothing is read of its
mail meanwhile; so the time of what waits is looked at apart from any try.

Standards: RFC 3461 §4.1 (DELAY), RFC 5321 §4.5.4.1.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime

from smfd.config.schema import Config
from smfd.delivery.opinion import patience
from smfd.delivery.runner import Runner
from smfd.delivery.site import Bounds
from smfd.model.entry import Consignment, Outcome
from smfd.store.ids import new_id
from smfd.store.rounds import Rounds

_HOUR = 3600.0
_DAY = 24 * _HOUR

#: Seconds between two rounds.
_ROUND = 300.0

#: All is looked at again each time so many rounds are done: what was suspended
#: may have been let go, and clocks may be set.
_AGAIN = 12


@frozen
class Ages:
    """
    Ages in seconds.

    @ivar warning: at which a sender hears that his message waits; 0 is never.
    @ivar lifetime: at which it is given up.
    @ivar bounces: the same for mail from nobody.
    """

    warning: float = 4 * _HOUR
    lifetime: float = 5 * _DAY
    bounces: float = 2 * _DAY


class Far(Protocol):
    """A destination that is another server."""

    @property
    def name(self) -> str:
        """The word recipients know it by."""

    async def expired(self, c: Consignment, words: str) -> Outcome | None:
        """What becomes of what is too old, by the last words on it."""


class Ageing(Service):
    """Goes through what is old, every few minutes, a slice at a time."""

    def __init__(
        self,
        runner: Runner,
        ways: Iterable[Far],
        clock: IReactorTime,
        ages: Ages,
    ) -> None:
        """
        @param ways: they say what becomes of what is too old.
        """
        self._runner = runner
        self._queue = runner.queue
        self._ways = {way.name: way for way in ways}
        self._clock = clock
        self._ages = ages
        self._rounds = 0
        self._warned = self._bounced = ""
        self._loop = Rounds(self._look, clock, _ROUND, "cannot look at what is old")

    def startService(self) -> None:
        """The first round is at once: we may have been away for long."""
        super().startService()
        self._loop.start(now=True)

    def stopService(self) -> None:
        """No round any more."""
        super().stopService()
        self._loop.stop()

    async def _look(self) -> None:
        if self._rounds % _AGAIN == 0:
            self._warned = self._bounced = ""
        self._rounds += 1
        now, ages = self._clock.seconds(), self._ages
        if ages.warning:
            self._warned = await self._warn(self._warned, now - ages.warning)
        before = now - ages.bounces
        self._bounced = await self._give_up(self._bounced, before, bounces=True)
        await self._give_up("", now - ages.lifetime)

    async def _warn(self, after: str, before: float) -> str:
        """Have senders told; whoever is older than the result was looked at."""
        more = after
        while self.running:
            more = await self._queue.warn(more, before)
            if not more:
                return new_id(before - 1)
        return after

    async def _give_up(self, after: str, before: float, bounces: bool = False) -> str:
        """The same of what is too old."""
        more = after
        while self.running:
            old, more = await self._queue.old(more, before, bounces)
            outcomes: dict[str, list[Outcome]] = defaultdict(list)
            for one in old:
                c = one.consignment
                way = self._ways.get(c.recipient.destination)
                if way is None or self._queue.holds(c.recipient.site):
                    continue
                outcome = await way.expired(c, one.words)
                if outcome is not None:
                    outcomes[c.recipient.site].append(outcome)
            for site, ended in outcomes.items():
                self._runner.give_up(site, ended)
            if not more:
                return new_id(before - 1)
        return after


def ageing(
    config: Config,
    runner: Runner,
    ways: Iterable[Far],
    clock: IReactorTime,
) -> Ageing:
    """As the settings have it."""
    settings = config.queue
    ages = Ages(
        settings.warning_hours * _HOUR,
        settings.lifetime_days * _DAY,
        settings.bounce_days * _DAY,
    )
    return Ageing(runner, ways, clock, ages)


def pauses(config: Config) -> Callable[[int], float]:
    """How long mail to the world waits between two tries, as the settings have it."""
    first, last = config.queue.retry_first, config.queue.retry_last
    return partial(patience, first=first, last=last)


def bounds(config: Config) -> Bounds:
    """How much goes out at once, as the settings have it."""
    settings = config.queue
    return Bounds(settings.connections, settings.connections_per_site)


def paced(config: Config) -> Callable[..., Runner]:
    """Makes a runner that is as quick as the settings have it."""
    return partial(Runner, bounds=bounds(config), patience=pauses(config))
