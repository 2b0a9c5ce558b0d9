"""Tests for L{smfd.policy.providers}, L{smfd.policy.paces}, L{smfd.policy.warm_up}."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smfd.model.cause import About, Cause, Kind
from smfd.policy.paces import CALM, Pace, Paces
from smfd.policy.providers import PROVIDERS, Provider, Providers
from smfd.policy.warm_up import DAYS, WarmUp

NOW = 1_800_000_000.0
DAY = 86_400.0
OURS = "192.0.2.25"
SLOW = Cause(Kind.RATE, About.US, False, "Wait.", slow_down=True)


class ProviderTests(SynchronousTestCase):
    """Whose server it is."""

    def test_known(self) -> None:
        """The hosts that large providers name in the DNS are theirs."""
        providers = Providers()
        for host, name in (
            ("gmail-smtp-in.l.google.com", "google"),
            ("aspmx2.GOOGLEMAIL.com.", "google"),
            ("example-org.mail.protection.outlook.com", "microsoft"),
            ("mx-eu.mail.am0.yahoodns.net", "yahoo"),
            ("mx01.mail.icloud.com", "icloud"),
            ("mx01.emig.gmx.net", "gmx"),
            ("mx00.t-online.de", "t-online"),
            ("mx0a-00000001.pphosted.com", "proofpoint"),
            ("eu-smtp-inbound-1.mimecast.com", "mimecast"),
        ):
            self.assertEqual(name, providers.of(host).name, host)

    def test_unknown(self) -> None:
        """Everybody else is his own provider, by the domain of the host."""
        providers = Providers()
        for host, name in (
            ("mx1.mail.example.org", "example.org"),
            ("mx.example.co.uk", "example.co.uk"),
            ("notgoogle.com", "notgoogle.com"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("localhost", "localhost"),
            ("", ""),
        ):
            self.assertEqual(name, providers.of(host).name)

    def test_own(self) -> None:
        """A site's word on a provider stands for ours."""
        own = Provider("google", ("mx.example",), 1, 5)
        providers = Providers((*PROVIDERS, own))
        self.assertEqual(own, providers.of("a.mx.example"))
        self.assertEqual("google.com", providers.of("mx.google.com").name)

    @given(st.text(max_size=300))
    def test_anything(self, host: str) -> None:
        """No name of a host is too odd to belong to somebody."""
        self.assertLessEqual(len(Providers().of(host).name), 300)


class PaceTests(SynchronousTestCase):
    """How fast one is served."""

    def test_free(self) -> None:
        """Who has no limit and never complained is served at once."""
        pace = Pace(0)
        self.assertEqual([0.0] * 500, [pace.wait(NOW) for _ in range(500)])

    def test_limit(self) -> None:
        """Thirty a minute are thirty a minute."""
        pace = Pace(30)
        self.assertEqual(30, sum(not pace.wait(NOW) for _ in range(100)))
        self.assertAlmostEqual(2.0, pace.wait(NOW))
        self.assertEqual(0.0, pace.wait(NOW + 2.1))

    def test_halves(self) -> None:
        """Each complaint halves the pace, a minute's complaints once, down to one."""
        pace, rates = Pace(120), []
        for minute in range(10):
            for second in (0, 0, 1, 59):
                pace.slow_down(NOW + minute * 61 + second)
            rates.append(pace.rate(NOW + minute * 61))
        self.assertEqual([60, 30, 15, 7.5, 3.75, 1.875, 1, 1, 1, 1], rates)
        self.assertEqual(1.875, pace.rate(NOW + 10 * 61 + CALM))

    def test_slowest(self) -> None:
        """A complaint makes nobody faster whose limit is half a message a minute."""
        pace = Pace(0.5)
        pace.slow_down(NOW)
        self.assertEqual(0.5, pace.rate(NOW))

    def test_recovers(self) -> None:
        """A quarter of an hour without complaint doubles it, until it is as before."""
        pace = Pace(0)
        for minute in range(3):
            pace.slow_down(NOW + minute * 61)
        last = NOW + 122
        rates = [pace.rate(last + n * CALM) for n in (0, 1, 1.9, 2, 2, 3, 4)]
        self.assertEqual([15, 30, 30, 60, 60, 0, 0], rates)

    def test_again(self) -> None:
        """Who complains as soon as all is as before is heard."""
        pace = Pace(30)
        pace.slow_down(NOW)
        self.assertEqual(30, pace.rate(NOW + CALM))
        pace.slow_down(NOW + CALM + 1)
        self.assertEqual(15, pace.rate(NOW + CALM + 1))

    def test_at_once(self) -> None:
        """A complaint takes half of what might go at that moment."""
        pace = Pace(120)
        self.assertEqual(0.0, pace.wait(NOW))
        pace.slow_down(NOW)
        self.assertEqual(60, sum(not pace.wait(NOW) for _ in range(120)))
        self.assertAlmostEqual(1.0, pace.wait(NOW))

    def test_slow(self) -> None:
        """Half a message a minute is a whole one every other minute."""
        pace = Pace(0.5)
        self.assertEqual(0.0, pace.wait(NOW))
        self.assertAlmostEqual(120.0, pace.wait(NOW))
        self.assertAlmostEqual(60.0, pace.wait(NOW + 60))
        self.assertEqual(0.0, pace.wait(NOW + 121))

    @given(st.lists(st.tuples(st.booleans(), st.floats(-4000, 4000)), max_size=60))
    def test_bounds(self, steps: list[tuple[bool, float]]) -> None:
        """Whatever they say, and however the clock jumps, it never stops for good."""
        pace, now = Pace(60), NOW
        for complains, seconds in steps:
            now += seconds
            if complains:
                pace.slow_down(now)
            self.assertTrue(1 <= pace.rate(now) <= 60)
            self.assertLessEqual(pace.wait(now), 60.001)


class PacesTests(SynchronousTestCase):
    """All providers, all of our addresses."""

    def setUp(self) -> None:
        self.now = NOW
        self.paces = Paces(lambda: self.now)

    def test_one_of_many(self) -> None:
        """A complaint slows one provider from one address, and nobody else."""
        host = "mx1.google.com"
        self.paces.note(host, OURS, SLOW)
        waits = [self.paces.pause("mx2.google.com", OURS).seconds for _ in range(61)]
        self.assertEqual(0.0, waits[59])
        self.assertGreater(waits[60], 0)
        self.assertEqual({("google", OURS): 60.0}, self.paces.slowed())
        for other in (("a.outlook.com", OURS), (host, "192.0.2.26")):
            self.assertEqual(0.0, self.paces.pause(*other).seconds)
        why = self.paces.pause(host, OURS).why
        self.assertEqual("a limit of ours: 60 a minute to google", why)

    def test_no_complaint(self) -> None:
        """What is no complaint slows nobody, nor one where that is not wanted."""
        full = Cause(Kind.MAILBOX_FULL, About.RECIPIENT, False, "Wait.")
        self.paces.note("mx1.google.com", OURS, full)
        self.assertEqual({}, self.paces.slowed())
        self.paces.slows = False
        self.paces.note("mx1.google.com", OURS, SLOW)
        self.assertEqual({}, self.paces.slowed())

    def test_bounded(self) -> None:
        """Of ten thousand who complain the last two thousand are remembered."""
        for n in range(10_000):
            self.paces.note(f"mx.example{n}.org", OURS, SLOW)
            self.paces.pause("mx.example0.org", OURS)
        slowed = {name for name, _ in self.paces.slowed()}
        last = {f"example{n}.org" for n in range(8001, 10_000)}
        self.assertEqual({"example0.org"} | last, slowed)

    def test_limited(self) -> None:
        """A provider's limit holds for each address, and is no complaint of his."""
        self.paces.providers = Providers((Provider("few", ("few.example",), 0, 2),))
        for ours in (OURS, "192.0.2.26"):
            waits = [self.paces.pause("mx.few.example", ours).seconds for _ in "abc"]
            self.assertEqual([0.0, 0.0, 30.0], waits)
        self.assertEqual({}, self.paces.slowed())
        self.now += 30
        self.assertEqual(0.0, self.paces.pause("mx.few.example", OURS).seconds)

    def test_connections(self) -> None:
        """Some want few connections."""
        self.assertEqual(("orange", 2), self.paces.whose("smtp-in.orange.fr"))
        self.assertEqual(("example.org", 0), self.paces.whose("mx.example.org"))


class WarmUpTests(SynchronousTestCase):
    """A new address sends little."""

    def setUp(self) -> None:
        self.now = NOW - NOW % DAY + 3600
        self.warm = WarmUp({OURS: int(self.now // DAY)})
        self.paces = Paces(lambda: self.now, warm_up=self.warm)

    def go(self, times: int, host: str = "mx.example.org") -> int:
        """How many of these may go."""
        return sum(not self.paces.pause(host, OURS).seconds for _ in range(times))

    def test_schedule(self) -> None:
        """Fifty on the first day, twice as many each day, then all."""
        most = [self.warm.most(OURS, self.now + n * DAY) for n in (-1, 0, 1, 2, 11)]
        self.assertEqual([0, 50, 100, 200, 102_400], most)
        self.assertIsNone(self.warm.most(OURS, self.now + DAYS * DAY))
        self.assertIsNone(self.warm.most("192.0.2.1", self.now))

    def test_day(self) -> None:
        """What is too much waits for tomorrow; each provider has its own fifty."""
        self.assertFalse(self.paces.spent("mx.example.org", OURS))
        self.assertEqual(50, self.go(80))
        self.assertTrue(self.paces.spent("mx.example.org", OURS))
        self.assertFalse(self.paces.spent("mx.example.org", "192.0.2.1"))
        self.assertEqual(50, self.go(80, "mx.example.net"))
        pause = self.paces.pause("mx.example.org", OURS)
        self.assertEqual(DAY - 3600, pause.seconds)
        self.assertEqual(
            f"warm-up: {OURS} is new and sends 50 a day to example.org", pause.why
        )
        self.now += DAY
        self.assertEqual(100, self.go(200))

    def test_restart(self) -> None:
        """What went before a restart counts."""
        self.warm.count(OURS, "example.org", self.now, 40)
        self.assertEqual(10, self.go(80))

    def test_bounded(self) -> None:
        """However many destinations there are, they are not all kept."""
        for n in range(6000):
            self.warm.count(OURS, f"example{n}.org", self.now)
        self.assertEqual(1000, self.warm.sent(OURS, "", self.now))
