"""Tests of smfd.policy.guessing: how often a password may be guessed (R76)."""

from twisted.trial.unittest import SynchronousTestCase

from smfd.policy.guessing import Attempt, Terms, Throttle, TooMany

HOME, FAR = "192.0.2.1", "198.51.100.7"


class ThrottleTests(SynchronousTestCase):
    """A throttle that is asked at times we say."""

    def setUp(self) -> None:
        """Ten a minute."""
        self.throttle = Throttle(Terms(size=50))
        self.now = 1000.0

    def begin(self, account: str, client: str) -> Attempt | TooMany:
        """Somebody guesses."""
        return self.throttle.begin(account, client, self.now)

    def guess(self, account: str, client: str) -> bool:
        """A wrong guess; whether it was judged."""
        attempt = self.begin(account, client)
        if isinstance(attempt, Attempt):
            attempt.wrong()
            return True
        return False

    def welcome(self, account: str, client: str) -> None:
        """The owner logs in."""
        attempt = self.begin(account, client)
        assert isinstance(attempt, Attempt)
        attempt.right(self.now)

    def judged(self, *who: tuple[str, str]) -> int:
        """How many of these wrong guesses were judged."""
        return sum(self.guess(*one) for one in who)

    def test_one_address(self) -> None:
        """From one address ten guesses a minute are judged, whoever is meant."""
        self.assertEqual(10, self.judged(*((f"u{n}", FAR) for n in range(100))))
        self.now += 60
        self.assertEqual(10, self.judged(*((f"v{n}", FAR) for n in range(100))))

    def test_any_minute(self) -> None:
        """In no minute are there more than ten, whenever they come (R76)."""
        said = []
        for _ in range(1800):
            self.now += 0.1
            said.append(self.guess("ann", FAR))
        for begin in range(1200):
            self.assertLessEqual(sum(said[begin : begin + 600]), 10)
        self.assertEqual(30, sum(said))

    def test_one_account(self) -> None:
        """At one account ten a minute are judged, wherever they come from."""
        many = (("ann", f"10.{n}.0.1") for n in range(100))
        self.assertEqual(10, self.judged(*many))

    def test_one_network(self) -> None:
        """From one network thirty; all addresses of an IPv6 one are one address."""
        many = ((f"u{n}", f"203.0.113.{n}") for n in range(100))
        self.assertEqual(30, self.judged(*many))
        six = ((f"w{n}", f"2001:db8::{n}") for n in range(1, 100))
        self.assertEqual(10, self.judged(*six))

    def test_owner(self) -> None:
        """However much an account is guessed at, its owner gets in from home."""
        self.welcome("ann", HOME)
        for minute in range(60):
            self.now = 1000.0 + minute * 60
            self.judged(*(("ann", f"10.{n}.0.{minute}") for n in range(40)))
            self.assertIsInstance(self.begin("ann", FAR), TooMany)
            self.welcome("ann", HOME)

    def test_home_is_no_free_pass(self) -> None:
        """From the owner's own address it is ten a minute, too."""
        self.welcome("ann", HOME)
        self.assertEqual(10, self.judged(*[("ann", HOME)] * 100))

    def test_neighbours(self) -> None:
        """A guesser behind the same address keeps no owner out who was there."""
        self.welcome("ann", HOME)
        self.judged(*((f"u{n}", HOME) for n in range(100)))
        self.assertIsInstance(self.begin("bob", HOME), TooMany)
        self.assertIsInstance(self.begin("ann", HOME), Attempt)

    def test_crowd(self) -> None:
        """All who are at home at one address have thirty a minute together (R76)."""
        for number in range(40):
            self.welcome(f"u{number}", HOME)
        said = []
        for number in range(3000):
            self.now += 0.1
            said.append(self.guess(f"u{number % 40}", HOME))
        for begin in range(0, 2400, 50):
            self.assertLessEqual(sum(said[begin : begin + 600]), 30)
        self.assertGreaterEqual(sum(said), 100)
        # Who is at home elsewhere too is not kept from there.
        self.welcome("u0", FAR)
        self.assertTrue(self.guess("u0", FAR))

    def test_whose_turn(self) -> None:
        """Who waits for the neighbours goes before those who were guessed at."""
        self.welcome("ann", HOME)
        throttle = Throttle(Terms(home=6))
        for name in "ann", "bob", "eve":
            throttle.welcome(name, HOME, self.now)
        for name in "bob", "eve":
            self.now += 0.1
            attempt = throttle.begin(name, HOME, self.now)
            assert isinstance(attempt, Attempt)
            attempt.wrong()
        ranks = {}
        for name in "ann", "bob", "eve":
            late = throttle.begin(name, HOME, self.now)
            assert isinstance(late, TooMany)
            self.assertTrue(late.patient)
            ranks[name] = late.rank
        self.assertEqual(["ann", "bob", "eve"], sorted(ranks, key=ranks.__getitem__))
        # Whose own guesses are used up does not wait for others.
        self.judged(*[("ann", HOME)] * 10)
        own = self.begin("ann", HOME)
        assert isinstance(own, TooMany)
        self.assertFalse(own.patient)

    def test_one_household(self) -> None:
        """An owner is at home in all of an IPv6 network."""
        self.welcome("ann", "2001:db8::1")
        self.assertTrue(self.throttle.is_home("ann", "2001:db8::2"))
        self.assertFalse(self.throttle.is_home("ann", "2001:db8:1::1"))
        self.assertFalse(self.throttle.is_home("bob", "2001:db8::1"))

    def test_right_costs_nothing(self) -> None:
        """Whoever is right may log in as often as he likes."""
        for _ in range(100):
            self.welcome("ann", HOME)
        self.assertEqual(10, self.judged(*[("bob", HOME)] * 100))

    def test_at_once(self) -> None:
        """Of fifty at once ten are judged; the others may wait for them."""
        begun = [self.begin("ann", FAR) for _ in range(50)]
        under_way = [one for one in begun if isinstance(one, Attempt)]
        refused = [one for one in begun if isinstance(one, TooMany)]
        self.assertEqual((10, 40), (len(under_way), len(refused)))
        self.assertTrue(all(one.pending for one in refused))
        for attempt in under_way:
            attempt.wrong()
        last = self.begin("ann", FAR)
        assert isinstance(last, TooMany)
        self.assertEqual((False, 60.0), (last.pending, last.seconds))

    def test_not_judged(self) -> None:
        """What we could not judge costs nobody anything."""
        for _ in range(50):
            attempt = self.begin("ann", FAR)
            assert isinstance(attempt, Attempt)
            attempt.spare()

    def test_bounded(self) -> None:
        """A million names fill no memory, and open nothing."""
        for number in range(5000):
            self.guess(f"u{number}", f"10.{number % 200}.{number // 200}.1")
        tables = (self.throttle._accounts, self.throttle._addresses)
        self.assertTrue(all(len(table) <= 50 for table in tables))
        self.assertEqual(0, self.judged(*((f"x{n}", f"11.0.0.{n}") for n in range(9))))
        self.now += 61
        self.assertEqual(5, self.judged(*((f"y{n}", f"12.{n}.0.1") for n in range(5))))

    def test_homes_bounded(self) -> None:
        """An account has its last few homes, and only the last accounts have any."""
        for number in range(20):
            self.welcome("ann", f"10.{number}.0.1")
            self.welcome("bob", f"10.{number}.0.1")
        self.assertEqual(8, len(self.throttle._homes["ann"]))
        for number in range(100):
            self.now += 60
            self.welcome(f"u{number}", HOME)
        self.assertEqual(50, len(self.throttle._homes))
