"""What a batch tells of its site, and of who was in it."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from attrs import evolve
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.delivery.load import Load
from smfd.delivery.opinion import Opinion, Pauses
from smfd.delivery.site import Bounds, Pace, Site
from smfd.model.entry import Consignment, Outcome, State
from smfd.model.queue import SiteState
from smfd.model.transaction import Body
from tests.store.making import remote

NOW = 1_700_000_000.0
SOON, LATER = NOW + 20, NOW + 40

TAKEN = Outcome("01m", 1, State.DELIVERED, "250 ok")
REFUSED = Outcome("01m", 1, State.FAILED, "550 no")
NOBODY = Outcome("01m", 1, State.DUE, "nobody", of_site=True)
PACED = Outcome("01m", 1, State.DUE, "paced", LATER)
SOONER = Outcome("01m", 1, State.DUE, "paced", SOON)


def letter(entry: str, number: int = 1, destination: str = "remote") -> Consignment:
    """A recipient's share of a message."""
    to = evolve(remote(number, "u@a.x"), destination=destination)
    return Consignment(entry, NOW, "", Body(0), b"", (), to)


class OpinionTests(SynchronousTestCase):
    """A site that was not there twice, and then had eight batches at once."""

    def setUp(self) -> None:
        self.noted: list[SiteState] = []
        self.clock = Clock()
        self.clock.advance(NOW)
        self.pauses: Iterator[float] = count(100.0)
        self.site = Site("a.x", Load())
        self.site.attempts, self.site.limit, self.site.noted = 2, 8, True
        self.site.why = "before"

    def note(self, state: SiteState) -> Any:
        """As the queue does it."""
        self.noted.append(state)
        return succeed(None)

    def judge(self, outcomes: Sequence[Outcome], **one: Any) -> list[Outcome]:
        """A batch that began ten seconds before; C{one} is each of it."""
        queue: Any = self
        pauses = Pauses(lambda tries: tries * 1000 + next(self.pauses))
        opinion = Opinion(queue, self.clock, Bounds(), pauses)
        batch = [evolve(letter(o.entry_id, o.number), **one) for o in outcomes]
        self.site.in_hand.update(c.key for c in batch)
        return opinion.of(self.site, batch, outcomes, NOW - 10)

    def found(self) -> tuple[int, int, float, str]:
        """Tries in vain, batches at once, until when it is left alone, and why."""
        site = self.site
        return site.attempts, site.limit, max(0.0, site.next_try - NOW), site.why

    def test_table(self) -> None:
        """Who takes or refuses is there; who is there for some is not down."""
        known = evolve(NOBODY, next_try=LATER)
        for outcomes, found, noted in (
            ([TAKEN, TAKEN], (0, 2, 0.0, ""), 1),
            ([REFUSED], (0, 2, 0.0, ""), 1),
            ([TAKEN, NOBODY], (2, 4, 0.0, "before"), 0),
            ([NOBODY, NOBODY], (3, 1, 2100.0, "nobody"), 1),
            ([known], (3, 1, 40.0, "nobody"), 1),
            ([PACED, SOONER], (2, 4, 20.0, "paced"), 1),
            ([TAKEN, PACED], (0, 1, 40.0, "paced"), 2),
            ([TAKEN, PACED, NOBODY], (2, 4, 40.0, "paced"), 1),
        ):
            self.setUp()
            settled = [o for o in outcomes if o.state is not State.DUE]
            self.assertEqual(settled, self.judge(outcomes))
            self.assertEqual(found, self.found(), outcomes)
            self.assertEqual(noted, len(self.noted), outcomes)

    def test_others(self) -> None:
        """One connection in vain is not the site's end while others do well."""
        self.site.running = 2
        self.judge([NOBODY])
        self.assertEqual((2, 4, 0.0, "before"), self.found())
        self.assertTrue(self.site.more)
        self.site.running = 1
        self.site.well_at = NOW - 5
        self.judge([NOBODY])
        self.assertEqual((2, 2, 0.0, "before"), self.found())
        self.site.well_at = NOW - 10.5
        self.judge([NOBODY])
        self.assertEqual((3, 1, 2100.0, "nobody"), self.found())

    def test_slow(self) -> None:
        """Who takes long is there, and gets no more connections for it."""
        for seconds, limit, pace in ((20, 9, Pace.QUICK), (21, 8, Pace.SLOW)):
            self.setUp()
            self.site.attempts = 0
            self.clock.advance(seconds)
            self.judge([TAKEN])
            self.assertEqual((limit, pace), (self.site.limit, self.site.pace))
            self.assertEqual(1, len(self.noted))

    def test_let_go(self) -> None:
        """What waits for whom nobody answers is read again; since when is known."""
        for outcome in (NOBODY, PACED):
            self.setUp()
            for more in range(2):
                self.site.put(letter("09m", 7))
                self.site.more = False
                self.judge([outcome])
                site = self.site
                self.assertEqual((0, 0), (len(site.waiting), site.load.count))
                self.assertEqual((set(), True), (site.in_hand, site.more))
                self.assertEqual(NOW, site.since)
                self.clock.advance(more + 1)

    def test_kept(self) -> None:
        """A row is kept of who is down, or put off for long, until he is well."""
        for outcome, rows in ((NOBODY, 2), (PACED, 2), (SOONER, 0)):
            self.setUp()
            self.site.noted = False
            self.judge([outcome])
            for _ in "ab":
                self.judge([TAKEN])
            self.assertEqual(rows, len(self.noted), outcome)

    def test_put_off(self) -> None:
        """Who is put off alone is tried again by his own tries; a copy's, together."""
        one = Outcome("01m", 1, State.DUE, "451 greylisted")
        outcomes = [one, Outcome("01m", 2, State.DUE), Outcome("02m", 1, State.DUE)]
        found = self.judge(outcomes, attempts=3)
        self.assertEqual([2100.0, 2100.0, 2101.0], [o.next_try - NOW for o in found])
        (kept,) = self.judge([Outcome("01m", 1, State.DUE, "", LATER, "full")])
        self.assertEqual(LATER, kept.next_try)
        self.assertEqual(0, self.site.attempts)


class BatchTests(SynchronousTestCase):
    """What goes together."""

    def test_bounds(self) -> None:
        """So many messages, so many recipients, and one destination."""
        mail = [letter("01m", 1), letter("01m", 2), letter("02m"), letter("03m")]
        mail.append(letter("03m", 2, "relay"))
        for bounds, most in (
            (Bounds(), 4),
            (Bounds(messages=1), 2),
            (Bounds(messages=2), 3),
            (Bounds(recipients=1), 1),
            (Bounds(recipients=4), 4),
        ):
            site = Site("a.x", Load())
            for one in mail:
                site.put(one)
            self.assertEqual(mail[:most], site.batch(bounds))
            self.assertEqual(mail[most:], list(site.waiting))
            self.assertEqual(5 - most, site.load.count)
            self.assertEqual(5, len(site.in_hand))
