"""How long answers are remembered, and how many."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smfd.net.conclusions import Conclusions
from smfd.net.dns_answer import Answer
from smfd.net.dns_breaker import Breaker
from smfd.net.dns_cache import Cache, Lifetimes


class CacheTests(SynchronousTestCase):
    """A cache never says what is no longer true."""

    def test_lifetimes(self) -> None:
        """A TTL is kept, within limits; trouble is kept for seconds."""
        lifetimes = Lifetimes()
        self.assertEqual(60, lifetimes.of(Answer("ok", ttl=60)))
        self.assertEqual(5, lifetimes.of(Answer("ok", ttl=0)))
        self.assertEqual(3600, lifetimes.of(Answer("ok", ttl=10**9)))
        self.assertEqual(300, lifetimes.of(Answer("nxdomain", ttl=86400)))
        self.assertEqual(300, lifetimes.of(Answer("nodata", ttl=86400)))

    def test_expires(self) -> None:
        """An answer is there until its time is over."""
        cache = Cache(10)
        answer = Answer("ok", ("192.0.2.1",), 60)
        cache.put(("a", "A"), answer, 100.0)
        self.assertEqual((True, answer), cache.get(("a", "A"), 159.9))
        self.assertEqual((False, None), cache.get(("a", "A"), 160.0))

    def test_trouble(self) -> None:
        """Trouble is remembered as trouble, for five seconds."""
        cache = Cache(10)
        cache.put(("a", "A"), None, 0.0)
        self.assertEqual((True, None), cache.get(("a", "A"), 4.9))
        self.assertEqual((False, None), cache.get(("a", "A"), 5.0))

    def test_used_last(self) -> None:
        """What is asked for often outlives what came after it."""
        cache = Cache(2)
        for name in ("a", "b"):
            cache.put((name, "A"), Answer("ok", ttl=60), 0.0)
        cache.get(("a", "A"), 1.0)
        cache.put(("c", "A"), Answer("ok", ttl=60), 2.0)
        self.assertTrue(cache.get(("a", "A"), 3.0)[0])
        self.assertFalse(cache.get(("b", "A"), 3.0)[0])

    @given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3000)), max_size=80))
    def test_bounded(self, puts: list[tuple[int, int]]) -> None:
        """However much is looked up, memory has its limit; the newest stays."""
        cache = Cache(8, octets=6000)
        for number, size in puts:
            key = (str(number), "TXT")
            cache.put(key, Answer("ok", (b"x" * size,), 60), 0.0)
            self.assertLessEqual(len(cache._kept), 8)
            held = sum(size for _, size, _ in cache._kept.values())
            self.assertEqual(held, cache._held)
            self.assertLessEqual(held, 6000)
            self.assertTrue(cache.get(key, 0.0)[0])


class BreakerTests(SynchronousTestCase):
    """Silence opens it, a word closes it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.probes: list[Deferred[object]] = []
        self.opened = 0
        self.breaker = Breaker(self.clock, self.probe, self.note, pause=5.0)

    def probe(self) -> Deferred[object]:
        """Ask, and let the test answer."""
        self.probes.append(Deferred())
        return self.probes[-1]

    def note(self) -> None:
        """Count how often it opened."""
        self.opened += 1

    def test_opens(self) -> None:
        """Three silent queries make it ask once; silence again opens it."""
        for _ in range(4):
            self.breaker.silence()
        self.assertTrue(self.breaker.allows())
        self.assertEqual(1, len(self.probes))
        self.probes[0].errback(Exception("timed out"))
        self.assertFalse(self.breaker.allows())
        self.assertEqual(1, self.opened)

    def test_an_answer_counts(self) -> None:
        """Silence with answers in between, or an answer to the probe, is none."""
        for _ in range(10):
            self.breaker.silence()
            self.breaker.silence()
            self.breaker.heard()
        self.assertEqual([], self.probes)
        for _ in range(3):
            self.breaker.silence()
        self.breaker.heard()
        self.probes[0].callback(None)
        self.assertTrue(self.breaker.allows())

    def test_heals(self) -> None:
        """While open it asks one question each pause, and closes on a word."""
        for _ in range(3):
            self.breaker.silence()
        self.probes[0].callback(None)
        for _ in range(3):
            self.assertFalse(self.breaker.allows())
        self.assertEqual(1, len(self.probes))
        self.clock.advance(5)
        for _ in range(3):
            self.assertFalse(self.breaker.allows())
        self.assertEqual(2, len(self.probes))
        self.breaker.heard()
        self.probes[1].callback(None)
        self.assertTrue(self.breaker.allows())
        self.assertEqual(1, self.opened)


class ConclusionsTests(SynchronousTestCase):
    """What was made of answers holds as long as they are good."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.drawn: Conclusions[str, int] = Conclusions(self.clock.seconds, 2)

    def test_until(self) -> None:
        """It is gone at the second, and what never held is not kept."""
        self.drawn.put("a", 1, 10.0)
        self.drawn.put("b", 2, 0.0)
        self.assertEqual((1, None), (self.drawn.get("a"), self.drawn.get("b")))
        self.clock.advance(10)
        self.assertIsNone(self.drawn.get("a"))

    def test_bounded(self) -> None:
        """What was not used for longest makes room."""
        for n, key in enumerate("ab"):
            self.drawn.put(key, n, 10.0)
        self.drawn.get("a")
        self.drawn.put("d", 3, 0.0)
        self.assertEqual(1, self.drawn.get("b"))
        self.drawn.get("a")
        self.drawn.put("c", 2, 10.0)
        self.assertEqual([0, None, 2], [self.drawn.get(key) for key in "abc"])

    def test_again(self) -> None:
        """The same again counts once, and is the youngest."""
        for n, key in enumerate(("a", "b", "b", "c")):
            self.drawn.put(key, n, 10.0)
        self.assertEqual(
            [None, 2, 3, 2], [*(self.drawn.get(k) for k in "abc"), len(self.drawn)]
        )
        self.drawn.put("b", 4, 10.0)
        self.drawn.put("d", 5, 10.0)
        self.assertEqual([4, None, 5], [self.drawn.get(k) for k in "bcd"])
        self.clock.advance(10)
        self.assertIsNone(self.drawn.get("b"))
        self.assertEqual(1, len(self.drawn))
