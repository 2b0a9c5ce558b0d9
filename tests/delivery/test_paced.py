"""Mail to the world goes as fast as its providers want."""

from attrs import evolve

from smfd.delivery.ending import Told
from smfd.delivery.relay import RelayDestination, Road
from smfd.model.attempt import Attempt
from smfd.model.entry import Outcome, State
from smfd.policy.causes import cause
from smfd.policy.paces import Paces
from smfd.policy.providers import Provider, Providers
from tests.delivery.world import WorldCase, letter
from tests.store.making import REACTOR


class PacedTests(WorldCase):
    """Far is a provider with limits; near is not."""

    def setUp(self) -> None:
        super().setUp()
        far = Provider("far", ("far.test",), 1, 3)
        self.paces = Paces(REACTOR.seconds, Providers((far,)))

    def note(self, attempt: Attempt) -> None:
        """As the house does."""
        self.told.append(attempt)
        refused = attempt.answer is None or not attempt.answer.positive
        if refused and not attempt.spared:
            why = cause(attempt.answer, attempt.why)
            self.paces.note(attempt.host, attempt.source, why)

    async def to(self, domain: str, number: int) -> list[Outcome]:
        """What becomes of so many messages, sent at once."""
        self.told.clear()
        where = evolve(self.where, port=self.port)
        pace = self.paces.pause
        road = Road(self.hops, self.hands, self.tls, pace, self.note)
        way = RelayDestination("remote", where.of, road, Told(), REACTOR, self.home)
        batch = [c for n in range(number) for c in letter(f"u{n}@{domain}")]
        return await self.send(batch, way)

    async def test_limit(self) -> None:
        """What is too much for a minute waits for its turn; others do not."""
        far, near = self.server(2, "far.test"), self.server(3, "near.test")
        outcomes = await self.to("far.test", 5)
        self.assertEqual(3, len(far.messages))
        waiting = [o for o in outcomes if o.state is State.DUE]
        self.assertEqual(2, len(waiting))
        self.assertEqual(2, sum(attempt.spared for attempt in self.told))
        for outcome in waiting:
            self.assertIn("a limit of ours: 3 a minute to far", outcome.detail)
            wait = outcome.next_try - REACTOR.seconds()
            self.assertTrue(0 < wait <= 20.1, wait)
            self.assertFalse(outcome.of_site)
        await self.to("near.test", 5)
        self.assertEqual(5, len(near.messages))

    async def test_complains(self) -> None:
        """Who says that it is too much gets less from then on."""
        near = self.server(3, "near.test")
        near.says = {b"MAIL": b"421 4.7.28 unusual rate of unsolicited mail\r\n"}
        await self.to("near.test", 1)
        near.says = {}
        for _ in range(2):
            await self.to("near.test", 40)
        self.assertEqual(60, len(near.messages))
        self.assertEqual({("near.test", ""): 60.0}, self.paces.slowed())
